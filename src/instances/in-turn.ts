/** What waits at each store, by the key that it waits for. */
const turns = new WeakMap<object, Map<string, Promise<unknown>>>()

/**
 * Do this when everything that was asked for before it under the same key of this store has ended, well or badly, so that what it
 * reads still holds when it writes.
 */
export function inTurn<T>(store: object, key: string, work: () => Promise<T>): Promise<T> {
  const waiting = turns.get(store) ?? new Map<string, Promise<unknown>>()
  turns.set(store, waiting)
  const turn = (waiting.get(key) ?? Promise.resolve()).then(work)
  const ended = turn.then(
    () => undefined,
    () => undefined,
  )
  waiting.set(key, ended)
  void ended.then(() => waiting.get(key) === ended && waiting.delete(key))
  return turn
}

/** Do this when every change of the instance of this name that was asked for before it has ended. */
export function inTurnOfInstance<T>(store: object, instance: string, work: () => Promise<T>): Promise<T> {
  return inTurn(store, `instance ${instance.toLowerCase()}`, work)
}
