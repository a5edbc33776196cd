import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { ServerFacts } from './served.ts'

/** A server in a process of its own, whose CPU is counted. */
export interface Server extends AsyncDisposable, ServerFacts {
  /** Microseconds of CPU that its process has used, all threads together. */
  readonly cpu: () => Promise<number>
}

/** Start one of the served programs; both serve with the same certificate, from the same folder. */
export async function startServer(kind: 'hubward' | 'floor', folder: string): Promise<Server> {
  const child = fork(join(import.meta.dirname, `${kind}-server.ts`), [folder], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [facts] = (await once(child, 'message')) as [ServerFacts]
  return {
    ...facts,
    cpu: async () => {
      child.send('cpu')
      const [used] = (await once(child, 'message')) as [number]
      return used
    },
    [Symbol.asyncDispose]: async () => {
      child.disconnect()
      await once(child, 'exit')
    },
  }
}
