import { Worker } from 'node:worker_threads'

export interface ThreadEvents<Message> {
  readonly message: (message: Message) => void
  /** It ended by itself, with this; what was posted to it may be done or not. Another is started. */
  readonly died: (error: Error) => void
}

/** Milliseconds before a thread that dies as soon as it is started is started again, at most. */
const longestPause = 10_000

/** A worker that is started again when it dies: at once, and after ever longer pauses while it dies without a word. */
export class Thread<Message> {
  readonly #start: () => Worker
  readonly #events: ThreadEvents<Message>
  #worker: Worker | undefined
  #deaths = 0
  #again: NodeJS.Timeout | undefined
  #stopping = false

  constructor(program: URL, data: string, events: ThreadEvents<Message>) {
    this.#start = () => new Worker(program, { workerData: data })
    this.#events = events
    this.#open()
  }

  /** False while it is waited before it is started again. */
  get alive(): boolean {
    return this.#worker !== undefined
  }

  post(message: unknown): void {
    this.#worker?.postMessage(message)
  }

  /** Ask it to close, and wait so many milliseconds at most; false if it did not end in good order by then. */
  stop(patience: number): Promise<boolean> {
    this.#stopping = true
    clearTimeout(this.#again)
    const worker = this.#worker
    if (!worker) return Promise.resolve(false)
    return new Promise((resolve) => {
      const tooLate = setTimeout(() => {
        resolve(false)
        worker.unref()
        void worker.terminate()
      }, patience)
      worker.once('exit', (code) => {
        clearTimeout(tooLate)
        resolve(code === 0)
      })
      worker.postMessage('close')
    })
  }

  #open(): void {
    const worker = this.#start()
    let failure: Error | undefined
    worker.on('message', (message: Message) => {
      this.#deaths = 0
      this.#events.message(message)
    })
    worker.on('error', (error) => (failure = error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', (code) => {
      this.#worker = undefined
      if (this.#stopping) return
      const pause = this.#deaths === 0 ? 0 : Math.min(100 * 2 ** this.#deaths, longestPause)
      this.#deaths++
      if (pause === 0) this.#open()
      else this.#again = setTimeout(() => this.#open(), pause).unref()
      this.#events.died(failure ?? new Error(`a thread ended with code ${code}`))
    })
    this.#worker = worker
  }
}
