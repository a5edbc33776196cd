import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { migrate, type Migration } from './migrate.ts'
import type { FromWriter, ToWriter } from './writer.ts'

export type Row = Readonly<Record<string, SQLInputValue>>

/** One statement of a transaction. */
export interface Write {
  readonly sql: string
  readonly parameters: readonly SQLInputValue[]
  /** The number of rows it must change; another number undoes the whole transaction. */
  readonly expect?: number
}

/** A statement did not change the rows it was expected to: somebody else was there first. Nothing was written. */
export class UnmetExpectation extends Error {
  override readonly name = 'UnmetExpectation'
  /** Which statement of the transaction. */
  readonly index: number

  constructor(index: number) {
    super(`statement ${index} did not change the rows it was expected to`)
    this.index = index
  }
}

/**
 * Milliseconds that the next transactions are gathered after a commit that several shared: where there are many, more come. Who
 * writes alone does not wait. Measured: 10 ms took HTTPS with SAS from .39 to .45 of the floor, MQTT from .33 to .40.
 */
const gathering = 10

/**
 * An embedded database in one file. Reads run here, on this thread, and see everything that was committed. Writes run on a
 * thread of their own: transactions that arrive at the same moment share one commit, and each settles only after the disk
 * has it (WAL, synchronous FULL). A third thread keeps the WAL short.
 */
export class Database implements AsyncDisposable {
  readonly #reader: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #writer: Worker
  readonly #checkpointer: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>()
  #outbox: ToWriter['transactions'][number][] = []
  #committing = false
  #next = 0
  #failure: Error | undefined

  private constructor(path: string) {
    this.#reader = new DatabaseSync(path, { readOnly: true })
    this.#writer = new Worker(new URL('writer.ts', import.meta.url), { workerData: path })
    this.#writer.on('message', (settled: FromWriter) => this.#settle(settled))
    this.#writer.on('error', (error) => this.#fail(error))
    this.#writer.on('exit', () => this.#fail(new Error('the database is closed')))
    this.#checkpointer = new Worker(new URL('checkpointer.ts', import.meta.url), { workerData: path })
    this.#checkpointer.on('error', (error) => this.#fail(error))
  }

  /** Open the file, made and brought up to date by the migrations if need be. */
  static open(path: string, migrations: readonly Migration[]): Database {
    migrate(path, migrations)
    return new Database(path)
  }

  all(sql: string, parameters: readonly SQLInputValue[] = []): Row[] {
    return this.#statement(sql).all(...parameters) as Row[]
  }

  get(sql: string, parameters: readonly SQLInputValue[] = []): Row | undefined {
    return this.#statement(sql).get(...parameters) as Row | undefined
  }

  /** Run the statements as one transaction. Settles when it is durable; rejects with UnmetExpectation, or with a fault. */
  write(statements: readonly Write[]): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure)
    const id = this.#next++
    const settled = Promise.withResolvers<void>()
    this.#waiting.set(id, settled)
    // While one commit is under way, what comes is gathered for the next: the busier, the more share a commit and a message.
    if (this.#outbox.push({ id, statements }) === 1 && !this.#committing) setImmediate(() => this.#post())
    return settled.promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.#waiting.size > 0) await Promise.allSettled([...this.#waiting.values()].map(({ promise }) => promise))
    await stop(this.#checkpointer)
    // The writer last: whoever closes last moves the WAL into the file, which a reader cannot.
    this.#reader.close()
    await stop(this.#writer)
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#reader.prepare(sql)))
    return statement
  }

  #post(): void {
    if (this.#outbox.length === 0) return
    this.#committing = true
    this.#writer.postMessage({ transactions: this.#outbox } satisfies ToWriter)
    this.#outbox = []
  }

  #settle({ outcomes }: FromWriter): void {
    if (outcomes.length > 1) setTimeout(() => this.#goOn(), gathering)
    else this.#goOn()
    for (const { id, failed } of outcomes) {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (failed === undefined) waiting?.resolve()
      else waiting?.reject(typeof failed === 'number' ? new UnmetExpectation(failed) : new Error(failed))
    }
  }

  #goOn(): void {
    this.#committing = false
    this.#post()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const waiting of this.#waiting.values()) waiting.reject(error)
    this.#waiting.clear()
  }
}

function stop(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.once('exit', () => resolve())
    worker.postMessage('close')
  })
}
