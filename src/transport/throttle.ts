import { registrationKey } from '../model/identifiers.ts'
import type { Limits } from '../model/limits.ts'
import { Refusal } from '../model/refusal.ts'
import type { ProvisioningService } from '../model/service.ts'
import type { Monotonic } from '../base/time.ts'
import type { RegistrationLimits } from '../registration/registration-limits.ts'
import type { Reader } from '../store/store.ts'

/** The limits of every instance, as they are enforced by this node. */
export interface Throttle {
  readonly devices: RegistrationLimits
  /** Seconds to wait if so many service operations are too many now. */
  readonly operators: (service: ProvisioningService, operations: number) => number | undefined
  /** How often each kind of limit was met since the start. */
  readonly throttled: () => ReadonlyMap<Met, number>
}

export type Met = 'registration' | 'poll' | 'serviceOperation'

const minute = 60_000
const tenSeconds = 10_000
/** A device that is told `assigning` waits its turn; those for whom it is longer than this are told to come back. */
const longestQueue = minute
const [soonest, latest] = [2, 60]
/** Devices whose polls are remembered. */
const mostDevices = 100_000
/** Registrations are counted anew after this, or each time when the last count was near the limit. */
const countFor = 10_000

/**
 * Enforce limits by token buckets, refilled all the time, that hold a minute's worth. Registrations beyond it queue: their
 * devices are told `assigning` and when to ask, because several SDKs do not survive a 429. [device-wire §9.4, service-wire §14.1]
 */
export function throttle(
  limits: (service: ProvisioningService) => Limits,
  store: Reader,
  monotonic: Monotonic,
): Throttle {
  const registrations = new Map<string, Bucket>()
  const operations = new Map<string, Bucket>()
  const polls = new Map<string, Bucket>()
  const counts = new Map<string, { count: number; at: number }>()
  const met = new Map<Met, number>()

  const meet = (what: Met) => met.set(what, (met.get(what) ?? 0) + 1)

  return {
    devices: {
      turn: (service) => {
        const { registrationsPerMinute } = limits(service)
        const bucket = bucketOf(registrations, service.idScope)
        const wait = bucket.take(monotonic(), minute / registrationsPerMinute, 1, minute, longestQueue)
        if (wait === 0) return 0
        meet('registration')
        if (wait !== undefined) return wait
        throw new Refusal('Throttled', `more than ${registrationsPerMinute} registrations per minute, for minutes`, {
          retryAfter: bucket.later(),
        })
      },
      poll: (service, registrationId) => {
        const { pollsPerTenSeconds } = limits(service)
        if (polls.size > mostDevices) polls.clear()
        const bucket = bucketOf(polls, `${service.idScope}/${registrationKey(registrationId)}`)
        // As many again are answered, with a longer wait; more is abuse.
        const wait = bucket.take(monotonic(), tenSeconds / pollsPerTenSeconds, 1, tenSeconds, tenSeconds)
        if (wait === 0) return undefined
        meet('poll')
        if (wait !== undefined) return seconds(wait)
        throw new Refusal('Throttled', `more than ${2 * pollsPerTenSeconds} polls of one device in ten seconds`, {
          retryAfter: tenSeconds / 1000,
        })
      },
      room: async (service) => {
        const { registrations: most } = limits(service)
        const known = counts.get(service.idScope)
        const fresh = known && monotonic() - known.at < countFor && known.count < most * 0.9
        const count = fresh ? known.count : await store.registrations.count(service.idScope)
        if (count >= most) throw new Refusal('QuotaReached', `the instance has its ${most} registrations`)
        // This one comes to it; near the limit the next is counted anew.
        counts.set(service.idScope, { count: count + 1, at: fresh ? known.at : monotonic() })
      },
      payload: (service, payload) => {
        if (payload === undefined) return
        const { messageBytes } = limits(service)
        const length = Buffer.byteLength(JSON.stringify(payload))
        if (length > messageBytes) {
          throw new Refusal('BodyTooLarge', `the payload has ${length} bytes; the instance takes ${messageBytes}`)
        }
      },
    },
    operators: (service, asked) => {
      const interval = minute / limits(service).serviceOperationsPerMinute
      const bucket = bucketOf(operations, service.idScope)
      if (bucket.take(monotonic(), interval, asked, minute, 0) !== undefined) return undefined
      meet('serviceOperation')
      return bucket.later()
    },
    throttled: () => met,
  }
}

/** A token bucket, kept as the moment at which it will be full again. */
class Bucket {
  #full = -Infinity
  #interval = 0
  #turnedAway = 0

  /**
   * Take tokens that come every `interval` milliseconds, from a bucket that fills in `fills`. Gives the milliseconds until they
   * are there, and owes them; undefined, with nothing taken, if that is longer than `patience`.
   */
  take(now: number, interval: number, tokens: number, fills: number, patience: number): number | undefined {
    // What was owed by another limit says nothing about this one.
    if (interval !== this.#interval) this.#full = -Infinity
    this.#interval = interval
    const full = Math.max(this.#full, now) + tokens * interval
    const wait = Math.max(0, full - now - fills)
    if (wait > patience) return undefined
    this.#full = full
    if (wait === 0) this.#turnedAway = 0
    return wait
  }

  /** Seconds for somebody who was turned away: one after another, so that they do not come back at once. */
  later(): number {
    return soonest + (this.#turnedAway++ % (latest - soonest + 1))
  }
}

function bucketOf(buckets: Map<string, Bucket>, key: string): Bucket {
  let bucket = buckets.get(key)
  if (!bucket) buckets.set(key, (bucket = new Bucket()))
  return bucket
}

function seconds(milliseconds: number): number {
  return Math.min(Math.max(Math.ceil(milliseconds / 1000), soonest), latest)
}
