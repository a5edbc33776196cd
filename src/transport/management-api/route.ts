import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts'
import type { ProvisioningService } from '../../model/service.ts'
import type { InstancePath } from '../../instances/instance-resource.ts'
import { members, type Members } from '../../model/members.ts'
import type { HttpRequest } from '../../wire/http.ts'
import type { HttpRoute } from '../../wire/http/router.ts'
import type { Permission, Principal } from '../../access/principal.ts'

/** One thing that can be asked of the control plane. */
export interface ManagementRoute extends HttpRoute {
  readonly operationName: string
  /**
   * Where the path has an `:instance`, the caller's role is asked for there, and that instance is found; else the role must hold for
   * the whole deployment. `public`: no token is asked for; `any`: every valid token will do, and the route looks further itself.
   */
  readonly permission: Permission | 'public' | 'any'
  /** The role must hold for the whole deployment, although the path names an instance: what is changed concerns the others. */
  readonly everywhere?: boolean
  /** The instance need not exist: it is created here, or its absence is an answer. */
  readonly absentInstance?: boolean
  readonly run: (call: ManagementCall) => Promise<ManagementAnswer>
}

/** A request that was admitted. */
export interface ManagementCall {
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
export interface ManagementAnswer {
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

/** The instance of a call whose route names one. */
export function serviceOf({ service }: ManagementCall): ProvisioningService {
  if (!service) throw new TypeError('the route has no :instance')
  return service
}

/** Where the path looks for an instance. */
export function placeOf({ parameters }: Pick<ManagementCall, 'parameters'>): InstancePath {
  const { subscription = '', group = '', instance = '' } = parameters
  return { subscription, group, instance }
}

/** The body's members; none if it is no object. */
export function objectIn({ body }: ManagementCall): JsonObject {
  return isJsonObject(body) ? body : {}
}

/** The body's members; refuses what is no object. */
export function demandObject({ body }: ManagementCall): Members {
  if (isJsonObject(body)) return members(body)
  throw members({}).refusal('', 'must be a JSON object')
}
