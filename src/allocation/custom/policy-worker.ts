import { parentPort, workerData } from 'node:worker_threads'

/** Runs in a worker: loads one module of the operator and puts requests to it. */
const { moduleUrl } = workerData as { readonly moduleUrl: string }
const port = parentPort
if (!port) throw new Error('policy-worker.ts is run as a worker')

const loaded: Promise<unknown> = import(moduleUrl)

port.on('message', (message: unknown) => {
  const work = message === 'ready?' ? loaded.then(() => ({ ready: true })) : answer(message)
  work.then(
    (result) => port.postMessage(result),
    (error: unknown) => port.postMessage({ error: String(error).slice(0, 500) }),
  )
})

async function answer(request: unknown): Promise<{ readonly answer: string | undefined }> {
  const module = await loaded
  const policy: unknown = typeof module === 'object' && module !== null ? Reflect.get(module, 'default') : undefined
  if (typeof policy !== 'function') throw new Error('the module has no function as its default export')
  return { answer: JSON.stringify(await (policy as (request: unknown) => unknown)(request)) }
}
