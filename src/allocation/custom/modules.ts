import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { JsonObject } from '../../base/json.ts'
import { CustomFailure, type Ask } from '../custom.ts'
import { policyWorkers, type PolicyLimits, type PolicyWorkers } from './workers.ts'

/** The host of webhook URLs that stand for a module of the operator: `https://in-process/by-line` is `by-line.ts`. */
export const inProcessHost = 'in-process'

const extensions = ['.ts', '.mts', '.js', '.mjs']

/**
 * The operator's own policies in this folder, run in workers that an endless loop or a crash cannot get out of. A module
 * exports by default a function from an AllocationRequest to its answer; when its file changes, the new text counts.
 */
export function policyModules(folder: string, limits: PolicyLimits): ((name: string) => Ask) & AsyncDisposable {
  const running = new Map<string, { readonly version: number; readonly workers: PolicyWorkers }>()

  const workersFor = async (name: string): Promise<PolicyWorkers> => {
    const file = /^[\w-]+$/.test(name) && extensions.map((end) => join(folder, name + end)).find(existsSync)
    if (!file) throw new CustomFailure(`there is no policy module ${name.slice(0, 64)}`)
    const version = statSync(file).mtimeMs
    const known = running.get(name)
    if (known?.version === version) return known.workers
    const workers = policyWorkers(`${pathToFileURL(file).href}?version=${version}`, limits)
    running.set(name, { version, workers })
    await known?.workers[Symbol.asyncDispose]()
    return workers
  }

  const module = (name: string) => async (request: JsonObject) => (await workersFor(name)).ask(request)
  return Object.assign(module, {
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running.values()].map(({ workers }) => workers[Symbol.asyncDispose]()))
    },
  })
}
