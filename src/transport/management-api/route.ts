import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import type { ProvisioningService } from '../../model/service.ts'
import type { InstancePath } from '../../instances/instance-resource.ts'
import { members, type Members } from '../../model/members.ts'
import { readIfMatch, type Precondition } from '../../wire/precondition.ts'
import { header, withoutTrailingSlashes, type HttpRequest } from '../../wire/http.ts'
import type { Permission, Principal } from '../../access/principal.ts'

/** One thing that can be asked of the control plane. */
export interface Route {
  readonly method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
  /**
   * Segments in lower case; `:name` stands for any one. Where there is an `:instance`, that instance is found first and the
   * caller's role is asked for there; else the role must hold for the whole deployment, unless `public`.
   */
  readonly path: string
  readonly operationName: string
  /** `public`: no token is asked for; `any`: every valid token will do, and the route looks further itself. */
  readonly permission: Permission | 'public' | 'any'
  /** The role must hold for the whole deployment, although the path names an instance: what is changed concerns the others. */
  readonly everywhere?: boolean
  /** The instance need not exist: it is created here, or its absence is an answer. */
  readonly absentInstance?: boolean
  readonly run: (call: Call) => Promise<Answer>
}

/** A request that was admitted. */
export interface Call {
  readonly request: HttpRequest
  /** Undefined on public routes only. */
  readonly principal: Principal | undefined
  /** The `:name`s of the path, decoded. */
  readonly parameters: Readonly<Record<string, string>>
  /** The instance that the path names; undefined where the path names none, or where it may be absent. */
  readonly service: ProvisioningService | undefined
  readonly body: Json | undefined
  readonly trackingId: string
}

/** What a call came to. */
export interface Answer {
  /** Absent: 200, or 204 without a body. */
  readonly status?: number
  readonly json?: Json
  /** Instead of `json`, with its content type in `headers`. */
  readonly text?: string
  readonly headers?: Readonly<Record<string, string>>
  /** What was changed, for the audit log; without secrets. */
  readonly change?: { readonly before?: Json | undefined; readonly after?: Json }
}

/** The path of an instance of the resource manager. [service-wire §8.2] */
export const instancePath =
  '/subscriptions/:subscription/resourcegroups/:group/providers/microsoft.devices/provisioningservices/:instance'

/** The route and its parameters for this path, in any letter case; refuses paths and methods that there are not. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { route: Route; parameters: Record<string, string> } {
  const segments = segmentsOf(path)
  const here = routes.flatMap((route) => {
    const parameters = match(route.path.split('/').slice(1), segments)
    return parameters ? [{ route, parameters }] : []
  })
  const found = here.find(({ route }) => route.method === method)
  if (found) return found
  if (here.length > 0) throw new Refusal('MethodNotAllowed', `${method} is not defined here`)
  throw new Refusal('PathUnknown', 'no resource has this path')
}

/** The instance of a call whose route names one. */
export function serviceOf({ service }: Call): ProvisioningService {
  if (!service) throw new TypeError('the route has no :instance')
  return service
}

/** Where the path looks for an instance. */
export function placeOf({ parameters }: Pick<Call, 'parameters'>): InstancePath {
  const { subscription = '', group = '', instance = '' } = parameters
  return { subscription, group, instance }
}

/** What the call demands of what it is about. */
export function preconditionOf({ request }: Call): Precondition {
  return readIfMatch(header(request, 'if-match'))
}

/** The body's members; none if it is no object. */
export function objectIn({ body }: Call): JsonObject {
  return isJsonObject(body) ? body : {}
}

/** The body's members; refuses what is no object. */
export function demandObject({ body }: Call): Members {
  if (isJsonObject(body)) return members(body)
  throw members({}).refusal('', 'must be a JSON object')
}

function match(pattern: readonly string[], segments: readonly string[]): Record<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]!
    if (part.startsWith(':') && segment !== '') parameters[part.slice(1)] = segment
    else if (part !== segment.toLowerCase()) return undefined
  }
  return parameters
}

function segmentsOf(path: string): string[] {
  try {
    return withoutTrailingSlashes(path).split('/').slice(1).map(decodeURIComponent)
  } catch {
    throw new Refusal('PathUnknown', 'the path cannot be decoded')
  }
}
