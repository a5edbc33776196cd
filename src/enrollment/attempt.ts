import { Conflict } from '../store/store.ts'

/** Of those who write one record at the same moment one gets through each time, so this is how many may. */
const attempts = 200

/**
 * Read, decide and write, again from the start when somebody else wrote in between, so that every answer is one that
 * could have been given had the requests come one after another.
 */
export async function untilUndisturbed<T>(readAndWrite: () => Promise<T>): Promise<T> {
  for (let left = attempts; ; left--) {
    try {
      return await readAndWrite()
    } catch (error) {
      if (!(error instanceof Conflict) || left === 1) throw error
    }
  }
}
