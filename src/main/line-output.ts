import { write, writeSync } from 'node:fs'
import { codeOf } from '../base/error-code.ts'

/** Takes lines, each with its line end; never throws. */
export interface Output {
  readonly write: (line: string) => void
  /** Returns when everything was taken, or cannot be. */
  readonly flushSync: () => void
}

/** Bytes, about, that may wait for a reader that has stopped reading, or for a disk that is full; what is more is lost. */
const mostWaiting = 8 << 20
/** Milliseconds until it is tried again. */
const [soon, later] = [10, 1000]
/** How often a reader that does not keep up is waited for, without an event loop. */
const mostTries = 100

/**
 * Lines to a file descriptor, without waiting for it: what comes during one write goes with the next. Where it cannot be
 * written, as to a file on a full disk, lines wait and are tried again; nobody who has something to say is stopped by that.
 */
export function outputTo(descriptor: number): Output {
  let waiting: string[] = []
  let length = 0
  /** What the present write is of, and what is left of it. */
  let current = Buffer.alloc(0)
  let state: 'idle' | 'writing' | 'pausing' = 'idle'

  function next(): void {
    if (state !== 'idle') return
    take()
    if (current.length === 0) return
    state = 'writing'
    write(descriptor, current, (error, written) => {
      if (error) return pause(error.code === 'EAGAIN' ? soon : later)
      state = 'idle'
      current = current.subarray(written)
      next()
    })
  }

  function pause(milliseconds: number): void {
    state = 'pausing'
    const goOn = () => {
      state = 'idle'
      next()
    }
    setTimeout(goOn, milliseconds).unref()
  }

  function take(): void {
    if (current.length > 0) return
    current = Buffer.from(waiting.join(''))
    waiting = []
    length = 0
  }

  return {
    write: (line) => {
      if (length + line.length > mostWaiting) return
      waiting.push(line)
      length += line.length
      next()
    },
    flushSync: () => {
      // What is being written reaches its end by itself.
      if (state === 'writing') current = Buffer.alloc(0)
      for (let tries = 0; tries < mostTries; take()) {
        if (current.length === 0 && waiting.length === 0) return
        try {
          current = current.subarray(writeSync(descriptor, current))
        } catch (error) {
          if (codeOf(error) !== 'EAGAIN') return
          tries++
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, soon)
        }
      }
    },
  }
}
