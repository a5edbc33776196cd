import type { IotHub } from '../hub/iot-hub.ts'
import type { Trail } from '../model/decision.ts'
import { Refusal } from '../model/refusal.ts'
import type { Monotonic } from '../base/time.ts'

/** The same hub, with every call, its outcome and its milliseconds noted on the trail. */
export function tracedHub(hub: IotHub, trail: Trail, monotonic: Monotonic): IotHub {
  function traced<A extends readonly unknown[], T>(
    call: string,
    ask: (...args: A) => Promise<T>,
    tell: (answer: T) => string,
  ): (...args: A) => Promise<T> {
    return async (...args) => {
      const startedAt = monotonic()
      const note = (found: string) =>
        trail.note({ step: 'hub', hub: hub.hostName, call, found, milliseconds: monotonic() - startedAt })
      try {
        const answer = await ask(...args)
        note(tell(answer))
        return answer
      } catch (error) {
        note(error instanceof Refusal ? `${error.reason}: ${error.detail.slice(0, 300)}` : 'a fault of ours')
        throw error
      }
    }
  }

  return {
    ...hub,
    device: traced('get the device', hub.device, (found) => (found ? 'it is there' : 'there is none')),
    create: traced('create the device', hub.create, (made) => (made ? 'created' : 'it exists already')),
    replace: traced('update the device', hub.replace, (done) => (done ? 'updated' : 'it was changed meanwhile')),
    remove: traced('remove the device', hub.remove, () => 'removed'),
    twin: traced('get the twin', hub.twin, (found) => (found ? 'it is there' : 'there is none')),
    mergeTwin: traced('write the initial twin', hub.mergeTwin, () => 'written'),
    createWithTwin: traced('create the device with its twin', hub.createWithTwin, (made) =>
      made ? 'created' : 'it exists already',
    ),
  }
}
