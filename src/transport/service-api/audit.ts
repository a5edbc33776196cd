import type { Offered } from '../../enrollment/enrolling-instance.ts'
import { enrollmentJson } from '../../enrollment/write-enrollment.ts'
import type { Json } from '../../base/json.ts'
import { timestamp, type Timestamp } from '../../base/time.ts'
import type { Caller } from '../../access/authorization.ts'
import type { Answer, Route } from './route.ts'

/** One line for the operator's log of what was done through this endpoint; holds no secret. [service-wire §14.4] */
export interface AuditLine {
  readonly time: Timestamp
  readonly category: 'ServiceOperations'
  readonly operationName: Route['operationName'] | 'Unknown'
  /** The api-version. */
  readonly operationVersion: string
  /** `Begun`: how it ends is said by a later line with the same correlation id. */
  readonly resultType: 'Begun' | 'Success' | 'ClientError' | 'Failure'
  /** The error code; `200` or `204` on success; empty while it is not known. */
  readonly resultSignature: string
  readonly resultDescription: string
  readonly durationMs: number
  readonly level: 'Information' | 'Warning' | 'Error'
  /** The tracking id that the client was told. */
  readonly correlationId: string
  /** Without its last part. */
  readonly callerIpAddress: string
  readonly idScope?: string | undefined
  readonly principal?: Caller['principal'] | undefined
  readonly properties: { readonly id: string; readonly type?: Route['type'] | undefined; readonly protocol: 'Http' }
  /** The records before and after, rendered when asked for. */
  readonly changes?: () => Json
}

/**
 * Whether a call of somebody is for the audit log. Showing keys is worth a line too; reading what is no secret is not. What
 * strangers try is not either: they could push out what operators did.
 */
export function isAudited(operationName: AuditLine['operationName']): boolean {
  return operationName !== 'Get' && operationName !== 'Query' && operationName !== 'Unknown'
}

const longestId = 128

/** What is known of a call when a line about it is written. */
export interface Told {
  readonly route?: Route
  readonly caller?: Caller
  readonly id: string
  readonly apiVersion: string
  readonly remoteAddress: string
  readonly trackingId: string
  readonly now: number
  readonly durationMs: number
  /** It is about to be done. */
  readonly begun?: true
  readonly answer?: Answer
  readonly refused?: { readonly errorCode: number; readonly detail: string }
}

/** Write the line of a call that has ended, or is about to be carried out. */
export function auditLine({ route, caller, begun, answer, refused, ...call }: Told, offered: Offered): AuditLine {
  const ended = refused ? (refused.errorCode >= 500_000 ? 'Failure' : 'ClientError') : 'Success'
  const result = begun ? 'Begun' : ended
  const changes = answer?.changes
  return {
    time: timestamp(call.now),
    category: 'ServiceOperations',
    operationName: route?.operationName ?? 'Unknown',
    operationVersion: call.apiVersion,
    resultType: result,
    resultSignature: begun ? '' : String(refused?.errorCode ?? (answer?.json === undefined ? 204 : 200)),
    resultDescription: refused?.detail ?? '',
    durationMs: call.durationMs,
    level: result === 'Failure' ? 'Error' : result === 'ClientError' ? 'Warning' : 'Information',
    correlationId: call.trackingId,
    callerIpAddress: maskAddress(call.remoteAddress),
    idScope: caller?.service.idScope,
    principal: caller?.principal,
    properties: { id: call.id.slice(0, longestId), type: route?.type, protocol: 'Http' },
    ...(changes && {
      changes: () => changes.map(({ before, after }) => ({ before: shown(before), after: shown(after) })),
    }),
  }

  function shown(record: Parameters<typeof enrollmentJson>[0] | undefined) {
    return record && enrollmentJson(record, offered, { keys: false, webhookSecrets: false })
  }
}

/** `203.0.113.7` as `203.0.113.x`, `2001:db8:1:2::9` as `2001:db8:1:x`. */
function maskAddress(address: string): string {
  const mapped = address.replace(/^::ffff:(?=\d+\.)/i, '')
  if (!mapped.includes(':')) return mapped.replace(/\.\d+$/, '.x')
  return `${mapped.split(':').slice(0, 3).join(':')}:x`
}
