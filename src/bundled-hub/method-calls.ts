import { parseJson } from '../base/json.ts'
import type { MethodAnswer } from './connections.ts'

/** The direct methods that one client was asked for and has not answered. */
export class MethodCalls {
  readonly #open = new Map<number, (answer: MethodAnswer | undefined) => void>()
  #last = 0

  /** Ask; gives the answer, or undefined if none comes within `timeout` milliseconds or before the end. */
  begin(timeout: number, ask: (call: number) => void): Promise<MethodAnswer | undefined> {
    const call = ++this.#last
    return new Promise((resolve) => {
      const settle = (answer: MethodAnswer | undefined): void => {
        clearTimeout(timer)
        this.#open.delete(call)
        resolve(answer)
      }
      const timer = setTimeout(() => settle(undefined), timeout)
      this.#open.set(call, settle)
      ask(call)
    })
  }

  /** The client answered. A payload that is not JSON is taken as a text, and no payload as null. */
  answer(call: number, status: number, payload: Buffer): void {
    const text = payload.toString('utf8')
    const read = text === '' ? null : parseJson(text)
    this.#open.get(call)?.({ status, payload: read === undefined ? text : read })
  }

  /** The client is gone. */
  end(): void {
    for (const settle of this.#open.values()) settle(undefined)
  }
}
