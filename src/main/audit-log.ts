import type { AuditFile } from './audit-file.ts'

/** The audit log as its writers see it: a line never fails what it tells of. */
export interface AuditLog extends Disposable {
  /** The line is in the file when this returns; or, while the file cannot be written, kept in memory, in order. Never throws. */
  readonly write: (line: object) => void
  /** Says that something is about to be done. False: the file does not take the line, which is not kept either. Never throws. */
  readonly intend: (line: object) => boolean
  /** Lines in memory. */
  readonly waiting: () => number
  /** Lines that not even memory had room for, since the start. */
  readonly lost: () => number
}

/** Who is told, once for each time of trouble. */
export interface AuditTrouble {
  readonly failed: (error: unknown) => void
  readonly recovered: (written: number, lost: number) => void
  /** The process ends, and so many lines are in no file. */
  readonly ended: (unwritten: number) => void
}

/** Milliseconds between attempts. */
const retryEvery = 1000
/** Characters of lines that are kept in memory. */
const mostWaiting = 16 << 20

/** Lines that wait are tried again every second, and with the next line; disposing it tries them once more. */
export function auditLog(file: AuditFile, trouble: AuditTrouble): AuditLog {
  const waiting: object[] = []
  let size = 0
  let lost = 0
  /** Of `lost`, those that the file does not tell of yet. */
  let untold = 0
  let failing = false
  let timer: NodeJS.Timeout | undefined

  function write(line: object): void {
    if (!failing && attempt(line)) return
    keep(line)
    retryLater()
  }

  function intend(line: object): boolean {
    if (!catchUp() || !attempt(line)) return false
    if (failing) recover(0)
    return true
  }

  function keep(line: object): void {
    const length = JSON.stringify(line).length
    // The newest are lost: what came first began the trouble, or what follows from it.
    if (size + length > mostWaiting) {
      lost++
      untold++
    } else {
      waiting.push(line)
      size += length
    }
  }

  function attempt(line: object): boolean {
    try {
      file.write(line)
      return true
    } catch (error) {
      if (!failing) trouble.failed(error)
      failing = true
      return false
    }
  }

  /** True if no line is missing in the file any more. */
  function catchUp(): boolean {
    clearTimeout(timer)
    timer = undefined
    if (waiting.length === 0 && untold === 0) return true
    let written = 0
    while (written < waiting.length && attempt(waiting[written]!)) written++
    waiting.splice(0, written)
    size = waiting.reduce((sum, line) => sum + JSON.stringify(line).length, 0)
    const gap = { category: 'Audit', operationName: 'LinesLost', lines: untold }
    if (waiting.length > 0 || (untold > 0 && !attempt(gap))) {
      retryLater()
      return false
    }
    recover(written)
    return true
  }

  function recover(written: number): void {
    failing = false
    trouble.recovered(written, untold)
    untold = 0
  }

  function retryLater(): void {
    timer ??= setTimeout(catchUp, retryEvery).unref()
  }

  return {
    write,
    intend,
    waiting: () => waiting.length,
    lost: () => lost,
    [Symbol.dispose]: () => {
      const done = catchUp()
      clearTimeout(timer)
      if (!done) trouble.ended(waiting.length + untold)
    },
  }
}
