import { type Database, UnmetExpectation } from '../sqlite/database.ts'
import type { Write } from '../sqlite/transactions.ts'
import { HubRefusal } from './hub-refusal.ts'

const attempts = 100

/**
 * Read, decide, write; and again from the start when somebody else wrote in between. Gives the result of the attempt that
 * was written, once it is durable; an attempt without writes is the last.
 */
export async function untilWritten<T>(
  database: Database,
  attempt: () => { readonly result: T; readonly writes: readonly Write[] },
): Promise<T> {
  for (let tried = 0; tried < attempts; tried++) {
    const { result, writes } = attempt()
    if (writes.length === 0) return result
    try {
      await database.write(writes)
      return result
    } catch (error) {
      if (!(error instanceof UnmetExpectation)) throw error
    }
  }
  throw new HubRefusal('ServiceUnavailable', 'too many writers at once')
}
