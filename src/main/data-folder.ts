import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigurationError } from './configuration.ts'

/**
 * Take the data folder for this process, made if it is not there. What holds it is a lock of the operating system on an empty
 * database, so that it ends with the process however that ends. Throws ConfigurationError if another process has it.
 */
export function holdDataFolder(folder: string): Disposable {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lock = new DatabaseSync(join(folder, 'in-use.db'))
  try {
    lock.exec('begin exclusive')
  } catch {
    lock.close()
    throw new ConfigurationError(
      `data is ${folder}, which another Hubward is using; stop that one, or give another folder with --data`,
    )
  }
  return { [Symbol.dispose]: () => lock.close() }
}
