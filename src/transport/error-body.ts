import { toAsciiJson, type JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import { timestamp } from '../base/time.ts'

/** The error object of every wire, with the HTTP (and MQTT topic) status it travels under. */
export interface ErrorBody {
  readonly status: number
  readonly errorCode: number
  /** `{errorCode, trackingId, message, timestampUtc, info?}`. [service-wire §7, device-wire §1.6] */
  readonly body: JsonObject
  /** The body as ASCII JSON. */
  readonly json: string
}

const fault = { errorCode: 500001, publicMessage: 'An unexpected error occurred.', info: undefined }

/**
 * How anything that was thrown is told to the other side. What is not a Refusal is a fault: its text stays here, and the
 * caller logs it under the tracking id. `now` in milliseconds since 1970.
 */
export function errorBody(thrown: unknown, { trackingId, now }: { trackingId: string; now: number }): ErrorBody {
  const { errorCode, publicMessage, info } = thrown instanceof Refusal ? thrown : fault
  const body = { errorCode, trackingId, message: publicMessage, timestampUtc: timestamp(now), info }
  return { status: Math.floor(errorCode / 1000), errorCode, body, json: toAsciiJson(body) }
}
