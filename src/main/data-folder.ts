import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { busy, causeOf } from '../sqlite/unwritable.ts'
import { ConfigurationError } from './configuration.ts'

/**
 * Take the data folder for this process, made if it is not there. What holds it is a lock of the operating system on an empty
 * database, so that it ends with the process however that ends. Throws ConfigurationError if another process has it.
 */
export function holdDataFolder(folder: string): Disposable {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'in-use.db')
  const lock = new DatabaseSync(file)
  try {
    lock.exec('begin exclusive')
  } catch (error) {
    lock.close()
    const { text, resultCode, errno } = causeOf(error, file)
    throw new ConfigurationError(
      resultCode === busy
        ? `data is ${folder}, which another Hubward is using; stop that one, or give another folder with --data`
        : `data is ${folder}, where nothing can be written: ${text}${errno === undefined ? '' : ` (${errno})`}`,
    )
  }
  return { [Symbol.dispose]: () => lock.close() }
}
