import type { Decision } from '../../model/decision.ts'
import type { IdScope } from '../../model/identifiers.ts'
import type { JsonObject } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import { unattributed } from '../../decisions/share.ts'
import { explain, remedyOf } from '../../decisions/explain.ts'
import type { Reader } from '../../store/store.ts'
import { header } from '../../wire/http.ts'
import { instancePath, serviceOf, type ManagementAnswer, type ManagementCall, type ManagementRoute } from './route.ts'

/** Where decision records come from. */
export interface Decisions {
  readonly store: Reader
  /** Settles when what was decided before is in the store. */
  readonly written: () => Promise<void>
}

const mostShown = 100
const usuallyShown = 20

/**
 * Why registrations went as they did: `?registrationId=` or `?trackingId=`, newest first; `limit`, and `before` with the
 * `nextBefore` of the page before. As JSON, or as a person reads it for `Accept: text/plain` or `format=text`. Of one instance,
 * or of the deployment: there, also attempts at ID scopes that nobody has.
 */
export function decisionRoutes(decisions: Decisions): readonly ManagementRoute[] {
  return [
    {
      method: 'GET',
      path: `${instancePath}/decisions`,
      operationName: 'ListDecisions',
      permission: 'read',
      run: (call) => answer(call, [serviceOf(call).idScope], decisions),
    },
    {
      method: 'GET',
      path: '/decisions',
      operationName: 'ListDecisions',
      permission: 'read',
      run: async (call) => {
        const scopes = (await decisions.store.services.all()).map(({ idScope }) => idScope)
        return answer(call, [unattributed, ...scopes], decisions)
      },
    },
  ]
}

async function answer(
  { request }: ManagementCall,
  scopes: readonly IdScope[],
  { store, written }: Decisions,
): Promise<ManagementAnswer> {
  const { query } = request
  const asked = {
    registrationId: query.get('registrationId') ?? undefined,
    trackingId: query.get('trackingId')?.toLowerCase(),
    before: query.get('before') ?? undefined,
    limit: readLimit(query.get('limit')),
  }
  await written()
  const found = await Promise.all(scopes.map((idScope) => store.decisions.find(idScope, asked)))
  const newest = found
    .flat()
    .toSorted((a, b) => (a.id < b.id ? 1 : -1))
    .slice(0, asked.limit)
  const text = query.get('format') === 'text' || /^text\/plain\b/i.test(header(request, 'accept') ?? '')
  if (text) {
    const told = newest.map(({ decision }) => explain(decision)).join('\n')
    return { text: told || 'Nothing is known of it.\n', headers: { 'Content-Type': 'text/plain; charset=utf-8' } }
  }
  const next = newest.length === asked.limit ? newest.at(-1)?.id : undefined
  return { json: { value: newest.map(({ id, decision }) => ({ id, ...decisionJson(decision) })), nextBefore: next } }
}

/** A decision as the control plane shows it, with what to do about it. */
export function decisionJson(decision: Decision): JsonObject {
  const { time, findings, ...rest } = decision
  return {
    time: new Date(time).toISOString(),
    ...rest,
    remedy: remedyOf(decision.reason),
    findings: findings.map((finding) => ({ ...finding })),
  }
}

function readLimit(text: string | null): number {
  if (text === null) return usuallyShown
  if (!/^[1-9]\d{0,2}$/.test(text) || Number(text) > mostShown) {
    throw new Refusal('MemberInvalid', `limit must be a whole number from 1 to ${mostShown}`)
  }
  return Number(text)
}
