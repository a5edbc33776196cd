import { Worker } from 'node:worker_threads'
import { type Json, type JsonObject } from '../../base/json.ts'
import { parseJson } from '../../base/json.ts'
import { CustomFailure } from '../custom.ts'

/** What a policy module may use for one answer. */
export interface PolicyLimits {
  /** Milliseconds. */
  readonly time: number
  /** Megabytes of heap. */
  readonly memory: number
}

/** Workers that run one module. */
export interface PolicyWorkers extends AsyncDisposable {
  readonly ask: (request: JsonObject) => Promise<Json>
}

interface Job {
  readonly request: JsonObject
  readonly resolve: (answer: Json) => void
  readonly reject: (failure: CustomFailure) => void
}

const program = new URL('./policy-worker.ts', import.meta.url)
const mostWorkers = 4
const longestQueue = 1000
/** Milliseconds for a worker to start and load its module. */
const startTime = 10_000

/** Run a module in workers of its own, one request at a time in each, so that whatever one does happens to it alone. */
export function policyWorkers(moduleUrl: string, { time, memory }: PolicyLimits): PolicyWorkers {
  const idle: Worker[] = []
  const all = new Set<Worker>()
  const queue: Job[] = []
  let closed = false

  const next = (): void => {
    const job = queue[0]
    if (!job) return
    const worker = idle.pop() ?? (all.size < mostWorkers ? start() : undefined)
    if (!worker) return
    queue.shift()
    run(worker, job)
  }

  const start = (): Worker => {
    const worker = new Worker(program, {
      workerData: { moduleUrl },
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: memory, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
    })
    all.add(worker)
    worker.unref()
    worker.on('error', () => {}) // told to its job; nobody else is concerned
    return worker
  }

  const run = (worker: Worker, job: Job): void => {
    const finish = (end: () => void, reusable: boolean): void => {
      clearTimeout(late)
      worker.off('message', answered).off('error', crashed).off('exit', exited)
      if (reusable && !closed) idle.push(worker)
      else {
        all.delete(worker)
        void worker.terminate()
      }
      end()
      next()
    }
    const fail = (why: string, reusable = false) => finish(() => job.reject(new CustomFailure(why)), reusable)
    const limit = (milliseconds: number) => setTimeout(() => fail('timeout'), milliseconds)
    const answered = (message: { ready?: true; answer?: string; error?: string }): void => {
      if (message.ready) {
        clearTimeout(late)
        late = limit(time)
        worker.postMessage(job.request)
        return
      }
      const { answer, error } = message
      if (error !== undefined) return fail(`the policy module threw: ${error}`, true)
      const json = answer === undefined ? undefined : parseJson(answer)
      if (json === undefined) return fail('the policy module answered nothing', true)
      finish(() => job.resolve(json), true)
    }
    const crashed = (error: Error): void => fail(`the policy module crashed: ${error.message.slice(0, 200)}`)
    const exited = (): void => fail('the policy module ended its worker')
    let late = limit(startTime)
    worker.on('message', answered).on('error', crashed).on('exit', exited)
    worker.postMessage('ready?')
  }

  return {
    ask: (request) =>
      new Promise((resolve, reject) => {
        if (queue.length >= longestQueue) return reject(new CustomFailure('too many wait for the policy module'))
        queue.push({ request, resolve, reject })
        next()
      }),
    [Symbol.asyncDispose]: async () => {
      closed = true
      for (const job of queue.splice(0)) job.reject(new CustomFailure('the policy module was taken out'))
      // Those at work end by themselves, or by their time limit.
      await Promise.all(idle.splice(0).map((worker) => worker.terminate()))
    },
  }
}
