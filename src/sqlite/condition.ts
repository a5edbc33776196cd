import { type WriteFailure, Unwritable } from './unwritable.ts'

/** What an operator is to know of a database. */
export interface Report {
  /** `trouble` is repeated while it lasts, `recovery` ends it, a `notice` stands for itself. */
  readonly kind: 'trouble' | 'recovery' | 'notice'
  readonly text: string
  /** The file. */
  readonly path: string
  readonly errno?: string | undefined
}

/** Milliseconds after which a trouble that lasts is told again. */
const toldEvery = 60_000

/** Whether something succeeds that is done over and over: trouble is told once, then every minute, and its end is told. */
export class Condition {
  readonly #what: string
  readonly #path: string
  readonly #tell: (report: Report) => void
  #toldAt: number | undefined
  #cause: Unwritable | undefined

  constructor(what: string, path: string, tell: (report: Report) => void) {
    this.#what = what
    this.#path = path
    this.#tell = tell
  }

  /** Why it failed the last time; undefined if it succeeded. */
  get cause(): Unwritable | undefined {
    return this.#cause
  }

  failed(cause: WriteFailure): Unwritable {
    const { errno } = cause
    this.#cause = new Unwritable(this.#path, cause)
    if (this.#toldAt === undefined || performance.now() - this.#toldAt > toldEvery) {
      this.#toldAt = performance.now()
      this.#tell({
        kind: 'trouble',
        path: this.#path,
        errno,
        text: `${this.#what}: ${this.#cause.message}; it is tried again`,
      })
    }
    return this.#cause
  }

  succeeded(): void {
    this.#cause = undefined
    if (this.#toldAt === undefined) return
    this.#toldAt = undefined
    this.#tell({ kind: 'recovery', path: this.#path, text: `${this.#what}: ${this.#path} is written again` })
  }
}
