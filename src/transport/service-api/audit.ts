import type { Offered } from '../../enrollment/enrolling-instance.ts'
import { enrollmentJson } from '../../enrollment/write-enrollment.ts'
import type { Json } from '../../base/json.ts'
import type { Caller } from '../../access/authorization.ts'
import type { EndedCall, Progress } from '../../wire/http/api.ts'
import { auditedCall, type AuditedCall } from '../audit-line.ts'
import type { ServiceAnswer, ServiceRoute } from './route.ts'

/** One line for the operator's log of what was done through this endpoint; holds no secret. [service-wire §14.4] */
export interface AuditLine extends AuditedCall {
  readonly category: 'ServiceOperations'
  readonly operationName: ServiceRoute['operationName'] | 'Unknown'
  /** The api-version. */
  readonly operationVersion: string
  readonly level: 'Information' | 'Warning' | 'Error'
  /** Without its last part. */
  readonly callerIpAddress: string
  readonly idScope?: string | undefined
  readonly principal?: Caller['principal'] | undefined
  readonly properties: {
    readonly id: string
    readonly type?: ServiceRoute['type'] | undefined
    readonly protocol: 'Http'
  }
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
const longestVersion = 40

/** The line of a call that has ended, or is about to be carried out. */
export function auditLine(
  { request, routed, caller, trackingId }: Progress<ServiceRoute, Caller>,
  ended: 'begun' | EndedCall<ServiceAnswer>,
  { now, milliseconds }: { readonly now: number; readonly milliseconds: number },
  offered: Offered,
): AuditLine {
  const answer = ended !== 'begun' && 'answer' in ended ? ended.answer : undefined
  const status =
    ended !== 'begun' && 'answer' in ended ? { status: ended.answer.json === undefined ? 204 : 200 } : ended
  const call = auditedCall({ trackingId, now, milliseconds, ended: status })
  const { route, parameters } = routed ?? {}
  const changes = answer?.changes
  return {
    ...call,
    category: 'ServiceOperations',
    operationName: route?.operationName ?? 'Unknown',
    operationVersion: (request.query.get('api-version') ?? '').slice(0, longestVersion),
    level: ({ Begun: 'Information', Success: 'Information', ClientError: 'Warning', Failure: 'Error' } as const)[
      call.resultType
    ],
    callerIpAddress: maskAddress(request.peer.remoteAddress),
    idScope: caller?.service.idScope,
    principal: caller?.principal,
    properties: { id: (parameters?.['id'] ?? '').slice(0, longestId), type: route?.type, protocol: 'Http' },
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
