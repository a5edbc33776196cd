import type { IdScope } from '../../model/identifiers.ts'

/** What each instance of a store waits for. */
const turns = new WeakMap<object, Map<IdScope, Promise<unknown>>>()

/** Do this when everything that was asked for before it at the same instance has ended, well or badly. */
export function inTurn<T>(store: object, idScope: IdScope, work: () => Promise<T>): Promise<T> {
  const waiting = turns.get(store) ?? new Map<IdScope, Promise<unknown>>()
  turns.set(store, waiting)
  const turn = (waiting.get(idScope) ?? Promise.resolve()).then(work)
  const ended = turn.then(
    () => undefined,
    () => undefined,
  )
  waiting.set(idScope, ended)
  void ended.then(() => waiting.get(idScope) === ended && waiting.delete(idScope))
  return turn
}
