import { existsSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import type { FromCheckpointer } from './checkpointer.ts'
import { Condition, type Report } from './condition.ts'
import { DatabaseDamaged, inspect } from './inspect.ts'
import { migrate, type Migration } from './migrate.ts'
import { Thread } from './thread.ts'
import { causeOf, isEnvironmental, Unwritable } from './unwritable.ts'
import { digestOf, readWitness, writeWitness } from './witness.ts'
import type { FromWriter, ToWriter, Write } from './transactions.ts'

export type SqlRow = Readonly<Record<string, SQLInputValue>>

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

export interface DatabaseOptions {
  /** Hears of what an operator is to know; absent: nobody does. */
  readonly tell?: (report: Report) => void
  /** Go on with what is left when commits are missing or a structure is damaged; default false. */
  readonly acceptLoss?: boolean
}

/**
 * Milliseconds that the next transactions are gathered after a commit that several shared: where there are many, more come. Who
 * writes alone does not wait. Measured: 10 ms took HTTPS with SAS from .39 to .45 of the floor, MQTT from .33 to .40.
 */
const gathering = 10
/** Milliseconds between tries to write while nothing can be written and nobody else tries. */
const [firstTry, lastTry] = [1000, 15_000]
/** Milliseconds that closing waits for what is under way, and for each thread. */
const patience = 8000

/**
 * An embedded database in one file. Reads run here, on this thread, and see everything that was committed; they need nothing
 * that can be written. Writes run on a thread of their own: transactions that arrive at the same moment share one commit, and
 * each settles only after the disk has it (WAL, synchronous FULL). A third thread keeps the WAL short. Where the disk is full or
 * fails, writes are rejected until it can be written again, by threads that are started anew if need be.
 */
export class Database implements AsyncDisposable {
  readonly #path: string
  readonly #tell: (report: Report) => void
  readonly #reader: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  readonly #writer: Thread<FromWriter>
  readonly #checkpointer: Thread<FromCheckpointer>
  readonly #writing: Condition
  readonly #witnessing: Condition
  readonly #checkpointing: Condition
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>()
  #outbox: ToWriter['transactions'][number][] = []
  #committing = false
  #next = 0
  #retry: NodeJS.Timeout | undefined
  #pause = firstTry
  #closed = false

  private constructor(path: string, tell: (report: Report) => void) {
    this.#path = path
    this.#tell = tell
    this.#writing = new Condition('writing', path, tell)
    this.#witnessing = new Condition('counting commits', path, tell)
    this.#checkpointing = new Condition('moving the WAL into the file', path, tell)
    this.#reader = new DatabaseSync(path, { readOnly: true })
    this.#reader.exec('pragma temp_store = memory')
    this.#writer = new Thread(new URL('writing-thread.ts', import.meta.url), path, {
      message: (settled) => this.#settle(settled),
      died: (error) => this.#writerDied(error),
    })
    this.#checkpointer = new Thread(new URL('checkpointer.ts', import.meta.url), path, {
      message: ({ failed }) => (failed ? this.#checkpointing.failed(failed) : this.#checkpointing.succeeded()),
      died: (error) => this.#checkpointing.failed(causeOf(error, path)),
    })
  }

  /**
   * Open the file, made and brought up to date by the migrations if need be. Throws DatabaseDamaged if commits are missing
   * or the file is damaged, and Unwritable if the file or its folder cannot be written.
   */
  static open(path: string, migrations: readonly Migration[], options: DatabaseOptions = {}): Database {
    const { tell = () => {}, acceptLoss = false } = options
    try {
      const notices = inspected(path, acceptLoss)
      const known = readWitness(path)
      // What is written from now on is not what it was closed with.
      if (known !== undefined && known !== 'unreadable' && known.closed) {
        writeWitness(path, { database: known.database, commits: known.commits })
      }
      writeWitness(path, migrate(path, migrations))
      for (const text of notices) tell({ kind: 'notice', path, text })
      return new Database(path, tell)
    } catch (error) {
      const cause = causeOf(error, path)
      throw isEnvironmental(cause) ? new Unwritable(path, cause) : error
    }
  }

  all(sql: string, parameters: readonly SQLInputValue[] = []): SqlRow[] {
    return this.#statement(sql).all(...parameters) as SqlRow[]
  }

  get(sql: string, parameters: readonly SQLInputValue[] = []): SqlRow | undefined {
    return this.#statement(sql).get(...parameters) as SqlRow | undefined
  }

  /**
   * Run the statements as one transaction; none at all is a commit too. Settles when it is durable; rejects with
   * UnmetExpectation, with Unwritable where the disk or the lock is the reason, or with a fault.
   */
  write(statements: readonly Write[]): Promise<void> {
    if (this.#closed) return Promise.reject(new Unwritable(this.#path, { text: 'it is closed' }))
    if (!this.#writer.alive) {
      return Promise.reject(this.#writing.cause ?? new Unwritable(this.#path, { text: 'its thread is being started' }))
    }
    const id = this.#next++
    const settled = Promise.withResolvers<void>()
    this.#waiting.set(id, settled)
    // While one commit is under way, what comes is gathered for the next: the busier, the more share a commit and a message.
    if (this.#outbox.push({ id, statements }) === 1 && !this.#committing) setImmediate(() => this.#post())
    return settled.promise
  }

  /** Never waits for long: what cannot be written within a few seconds is rejected, and told. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#retry)
    for (const end = performance.now() + patience; this.#waiting.size > 0 && performance.now() < end;) {
      const settled = Promise.allSettled([...this.#waiting.values()].map(({ promise }) => promise))
      await within(settled, end - performance.now())
    }
    this.#closed = true
    if (this.#waiting.size > 0) {
      const text = `${this.#waiting.size} transactions were not written to ${this.#path} before it was closed, and nobody was promised them`
      this.#tell({ kind: 'trouble', path: this.#path, text })
      this.#reject(() => true, new Unwritable(this.#path, { text: 'it is closed' }))
    }
    const stopped = await this.#checkpointer.stop(patience)
    // The writer last: whoever closes last moves the WAL into the file, which a reader cannot.
    this.#reader.close()
    if ((await this.#writer.stop(patience)) && stopped) this.#remember()
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (!statement) this.#statements.set(sql, (statement = this.#reader.prepare(sql)))
    return statement
  }

  #post(): void {
    if (this.#outbox.length === 0 || !this.#writer.alive) return
    this.#committing = true
    this.#writer.post({ transactions: this.#outbox } satisfies ToWriter)
    this.#outbox = []
  }

  #settle({ outcomes, unwitnessed }: FromWriter): void {
    if (outcomes.length > 1) setTimeout(() => this.#goOn(), gathering)
    else this.#goOn()
    if (unwitnessed) this.#witnessing.failed(unwitnessed)
    else this.#witnessing.succeeded()
    for (const { id, failed } of outcomes) {
      const waiting = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (failed === undefined || typeof failed === 'number') this.#wrote()
      if (failed === undefined) waiting?.resolve()
      else if (typeof failed === 'number') waiting?.reject(new UnmetExpectation(failed))
      else if (isEnvironmental(failed)) waiting?.reject(this.#cannotWrite(this.#writing.failed(failed)))
      else waiting?.reject(new Error(failed.text))
    }
  }

  #goOn(): void {
    this.#committing = false
    this.#post()
  }

  #wrote(): void {
    this.#writing.succeeded()
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.#pause = firstTry
  }

  /** Nobody else may try for long, and the operator is to hear when it is over. */
  #cannotWrite(cause: Unwritable): Unwritable {
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.#pause = Math.min(this.#pause * 2, lastTry)
      this.write([]).catch(() => {})
    }, this.#pause).unref()
    return cause
  }

  /** What it had may be written or not: nobody was promised it. What it did not have yet is for the next. */
  #writerDied(error: Error): void {
    const cause = this.#writing.failed(causeOf(error, this.#path))
    const unsent = new Set(this.#outbox.map(({ id }) => id))
    const dead = !this.#writer.alive
    this.#reject((id) => dead || !unsent.has(id), cause)
    if (dead) this.#outbox = []
    this.#cannotWrite(cause)
    this.#goOn()
  }

  #reject(which: (id: number) => boolean, cause: Unwritable): void {
    for (const [id, waiting] of this.#waiting) {
      if (!which(id)) continue
      waiting.reject(cause)
      this.#waiting.delete(id)
    }
  }

  /** Nothing is open any more: what the file is now is what the next start must find. */
  #remember(): void {
    const known = readWitness(this.#path)
    if (known === undefined || known === 'unreadable' || existsSync(`${this.#path}-wal`)) return
    try {
      writeWitness(this.#path, { ...known, closed: digestOf(this.#path) })
    } catch (error) {
      this.#witnessing.failed(causeOf(error, this.#path))
    }
  }
}

function inspected(path: string, acceptLoss: boolean): readonly string[] {
  try {
    return inspect(path)
  } catch (error) {
    if (!(error instanceof DatabaseDamaged && error.usable && acceptLoss)) throw error
    return [`${error.message}. It goes on with what is left, as it was told to`]
  }
}

function within(promise: Promise<unknown>, milliseconds: number): Promise<unknown> {
  const timeUp = Promise.withResolvers<void>()
  const timer = setTimeout(timeUp.resolve, milliseconds)
  return Promise.race([promise, timeUp.promise]).finally(() => clearTimeout(timer))
}
