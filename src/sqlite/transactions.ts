import type { SQLInputValue } from 'node:sqlite'
import type { WriteFailure } from './unwritable.ts'

/** One statement of a transaction. */
export interface Write {
  readonly sql: string
  readonly parameters: readonly SQLInputValue[]
  /** The number of rows it must change; another number undoes the whole transaction. */
  readonly expect?: number | undefined
}

/** What the writing thread is told. */
export interface ToWriter {
  readonly transactions: readonly { readonly id: number; readonly statements: readonly Write[] }[]
}

/** What it answers. */
export interface FromWriter {
  /** `failed` is the index of the statement that did not meet its expectation, or what failed. */
  readonly outcomes: readonly { readonly id: number; readonly failed?: number | WriteFailure | undefined }[]
  /** Why the witness lags behind: what was committed stands all the same. */
  readonly unwitnessed?: WriteFailure | undefined
}
