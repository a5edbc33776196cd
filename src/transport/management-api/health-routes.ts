import type { Clock } from '../../base/time.ts'
import type { ManagementAnswer, ManagementRoute } from './route.ts'

/** Something that the service must be able to do to be of use. */
export interface ReadinessCheck {
  /** What is said if it fails, such as `the store cannot be written`. */
  readonly otherwise: string
  /** Rejects if it cannot be done now. */
  readonly attempt: () => Promise<unknown>
}

/** Milliseconds for which an answer stands, since anybody may ask; and after which an attempt is given up. */
const [freshFor, patience] = [1000, 4000]

/**
 * `GET /health`: the process answers. `GET /ready`: each check succeeds, which may be a write; else 503 with what fails and why,
 * and `onFailure` hears of it. Neither asks for a token.
 */
export function healthRoutes(
  checks: readonly ReadinessCheck[],
  monotonic: Clock,
  onFailure: (thrown: unknown) => void,
): readonly ManagementRoute[] {
  let checking: { readonly since: number; readonly answer: Promise<ManagementAnswer> } | undefined
  return [
    {
      method: 'GET',
      path: '/health',
      operationName: 'GetHealth',
      permission: 'public',
      run: async () => ({ json: { status: 'alive' } }),
    },
    {
      method: 'GET',
      path: '/ready',
      operationName: 'GetReadiness',
      permission: 'public',
      run: () => {
        if (!checking || monotonic() - checking.since > freshFor) {
          checking = { since: monotonic(), answer: readiness(checks, onFailure) }
        }
        return checking.answer
      },
    },
  ]
}

async function readiness(
  checks: readonly ReadinessCheck[],
  onFailure: (thrown: unknown) => void,
): Promise<ManagementAnswer> {
  const failures = await Promise.all(checks.map((check) => failureOf(check, onFailure)))
  const [failure] = failures.filter((found) => found !== undefined)
  if (failure === undefined) return { json: { status: 'ready' } }
  return { status: 503, json: { status: failure }, headers: { 'Retry-After': '5' } }
}

async function failureOf(
  { otherwise, attempt }: ReadinessCheck,
  onFailure: (thrown: unknown) => void,
): Promise<string | undefined> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${patience} ms`)), patience)
  try {
    await Promise.race([attempt(), late.promise])
    return undefined
  } catch (thrown) {
    onFailure(thrown)
    return otherwise
  } finally {
    clearTimeout(timer)
  }
}
