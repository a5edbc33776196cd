import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ensureNodeSdk, ensurePythonSdk } from '../../sdk/install.ts'

/** A program that uses a real SDK in a process of its own, told line by line what to do. */
export interface SdkProcess extends AsyncDisposable {
  /** What the command gave; rejects with what the SDK threw. */
  readonly ask: (command: string, argument?: unknown) => Promise<unknown>
  /** The next event of a kind that has not been taken yet; fails when there is none within 20 s. */
  readonly event: (kind: string) => Promise<unknown>
}

/** A program beside this file, `.mjs` for the Node SDKs or `.py` for the Python SDK, that trusts the CA in the file. */
export async function startSdk(program: string, caFile: string): Promise<SdkProcess> {
  const path = join(import.meta.dirname, program)
  if (program.endsWith('.py')) {
    const packages = await ensurePythonSdk()
    return speak(spawn('python3', [path, caFile], { env: { ...process.env, PYTHONPATH: packages } }), program)
  }
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: caFile, SDK_FOLDER: await ensureNodeSdk() }
  return speak(spawn(process.execPath, [path], { env }), program)
}

const patience = 20_000

interface Line {
  readonly id?: number
  readonly result?: unknown
  readonly error?: string
  readonly event?: string
  readonly value?: unknown
}

function speak(child: ChildProcess, program: string): SdkProcess {
  const asked = new Map<number, PromiseWithResolvers<unknown>>()
  const events: Line[] = []
  let complaints = ''
  let next = 0
  let changed = (): void => undefined
  child.stderr?.on('data', (chunk: Buffer) => (complaints = (complaints + chunk.toString()).slice(-4000)))
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  void ended.then(() => {
    for (const { reject } of asked.values()) reject(new Error(`${program} has ended: ${complaints}`))
    changed()
  })
  if (child.stdout) {
    createInterface(child.stdout).on('line', (text) => {
      const line = JSON.parse(text) as Line
      if (line.id === undefined) {
        events.push(line)
        return changed()
      }
      const promise = asked.get(line.id)
      asked.delete(line.id)
      if (line.error === undefined) promise?.resolve(line.result)
      else promise?.reject(new Error(line.error))
    })
  }
  return {
    ask: (command, argument) => {
      const id = next++
      const promise = Promise.withResolvers<unknown>()
      asked.set(id, promise)
      child.stdin?.write(JSON.stringify({ id, command, argument }) + '\n')
      return within(promise.promise, () => `${program} did not finish ${command}: ${complaints}`)
    },
    event: async (kind) => {
      for (;;) {
        const at = events.findIndex(({ event }) => event === kind)
        if (at >= 0) return events.splice(at, 1)[0]?.value
        const change = new Promise<void>((resolve) => (changed = resolve))
        await within(change, () => `${program} had no ${kind} among ${JSON.stringify(events)}: ${complaints}`)
      }
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

async function within<T>(promise: Promise<T>, complaint: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(complaint())), patience)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
