import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { busy, causeOf } from '../sqlite/unwritable.ts'
import { ConfigurationError } from './configuration.ts'
import { makeFolder, reasonOf } from './files.ts'

/**
 * Take the data folder for this process, made if it is not there. What holds it is a lock of the operating system on an empty
 * database, so that it ends with the process however that ends. Throws ConfigurationError if another process has it.
 */
export function holdDataFolder(folder: string): Disposable {
  const file = join(folder, 'in-use.db')
  try {
    makeFolder(folder)
    closeSync(openSync(file, 'a', 0o600))
  } catch (error) {
    throw new ConfigurationError(`data is ${folder}, where nothing can be written: ${reasonOf(error)}`)
  }
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
