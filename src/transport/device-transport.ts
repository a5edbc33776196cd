import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { AttestationKinds } from '../attestation/attestation-kind.ts'
import { Refusal } from '../model/refusal.ts'
import type { Clocks } from '../base/time.ts'
import type { Registrar } from '../registration/registrar.ts'
import type { Attempt } from '../registration/trail.ts'
import { errorBody, type ErrorBody } from './error-body.ts'

/** What every device transport works with. */
export interface DeviceTransport extends Clocks {
  readonly registrar: Registrar
  /** The kinds of attestation that are offered. */
  readonly kinds: AttestationKinds
  readonly onFault: (fault: unknown, trackingId: string) => void
  /** Seconds that a device is asked to wait before it polls. The real service says 3. [device-wire §2.3] */
  readonly retryAfter: number
  /** Milliseconds between a request and its answer over MQTT and AMQP, at least; over HTTPS if it is refused. Java misses what comes sooner. [device-wire §3.8] */
  readonly answerDelay: number
}

/** The largest request a device may send, in bytes. [device-wire §9.5] */
export const largestRequest = 96 * 1024

/** Seconds that a throttled device is asked to stay away when nothing better is known. */
const throttledFor = 5

/**
 * Settles when an answer to what came at this moment of the monotonic clock may be sent. Whoever proves nothing is not answered
 * sooner on any wire, so that the time of the answer tells little of what was looked at for it.
 */
export async function whenAnswerable(
  received: number,
  { monotonic, answerDelay }: Pick<DeviceTransport, 'monotonic' | 'answerDelay'>,
): Promise<void> {
  // The clock counts whole milliseconds: the request may have come almost one later than it says.
  const wait = received + 1 + answerDelay - monotonic()
  if (answerDelay > 0 && wait > 0) await delay(wait)
}

/** How a request that threw is answered; that there was one is told, and what is not a refusal is reported. */
export function refused(
  thrown: unknown,
  attempt: Attempt,
  { clock, onFault, registrar }: Pick<DeviceTransport, 'clock' | 'onFault' | 'registrar'>,
): ErrorBody & { readonly retryAfter: number | undefined } {
  const { trackingId } = attempt
  registrar.turnedAway(attempt, thrown)
  if (!(thrown instanceof Refusal)) onFault(thrown, trackingId)
  const error = errorBody(thrown, { trackingId, now: clock() })
  const later = error.status === 429 || error.status >= 500
  const retryAfter = thrown instanceof Refusal ? thrown.retryAfter : undefined
  return { ...error, retryAfter: later ? Math.ceil(retryAfter ?? throttledFor) : undefined }
}

/** The name by which one request is found in the log. */
export function newTrackingId(): string {
  return randomUUID()
}
