import { randomBytes } from 'node:crypto'
import { Secret } from '../base/secret.ts'
import { Conflict, type Store } from './store.ts'

/** A secret of the deployment itself, made when it is first asked for: every node and every restart knows the same one. */
export async function deploymentKey(store: Store, name: string): Promise<Secret> {
  for (;;) {
    const known = await store.keys.get(name)
    if (known) return known
    const created = new Secret(randomBytes(32))
    try {
      await store.transact((write) => write.keys.create(name, created))
      return created
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
    }
  }
}
