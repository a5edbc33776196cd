import { timestamp, type Timestamp } from '../base/time.ts'
import { Refusal } from '../model/refusal.ts'

/** What every line of the audit log says of a call, whichever API it was made of. [service-wire §14.4] */
export interface AuditedCall {
  readonly time: Timestamp
  /** `Begun`: how it ends is said by a later line with the same correlation id. */
  readonly resultType: 'Begun' | 'Success' | 'ClientError' | 'Failure'
  /** The error code; the HTTP status on success; empty while it is not known. */
  readonly resultSignature: string
  readonly resultDescription: string
  readonly durationMs: number
  /** The tracking id that the client was told. */
  readonly correlationId: string
}

/** A call that is about to be carried out, or has ended: with this HTTP status, or by what was thrown. */
export interface ToldCall {
  readonly trackingId: string
  readonly now: number
  readonly milliseconds: number
  readonly ended: 'begun' | { readonly status: number } | { readonly thrown: unknown }
}

/** What is said of this call. */
export function auditedCall({ trackingId, now, milliseconds, ended }: ToldCall): AuditedCall {
  const call = { time: timestamp(now), durationMs: milliseconds, correlationId: trackingId }
  if (ended === 'begun') return { ...call, resultType: 'Begun', resultSignature: '', resultDescription: '' }
  const thrown = 'thrown' in ended ? ended.thrown : undefined
  const refusal = thrown instanceof Refusal ? thrown : undefined
  const status = 'status' in ended ? ended.status : (refusal?.status ?? 500)
  return {
    ...call,
    resultType: status < 400 ? 'Success' : status < 500 ? 'ClientError' : 'Failure',
    resultSignature: String('status' in ended ? status : (refusal?.errorCode ?? 500001)),
    resultDescription: refusal?.message ?? ('status' in ended ? '' : 'a fault, see the log'),
  }
}
