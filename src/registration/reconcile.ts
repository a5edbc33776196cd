import type { Provers } from '../attestation/attestation-kind.ts'
import type { Hubs } from '../hub/hubs.ts'
import type { IotHub } from '../hub/iot-hub.ts'
import { applyInitialTwin, ensureDevice, holds } from '../hub/provision.ts'
import type { Enrollment } from '../model/enrollment.ts'
import type { HubCredential } from '../model/hub-credential.ts'
import type { IdScope } from '../model/identifiers.ts'
import type { Assignment, Registration } from '../model/registration.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Monotonic } from '../base/time.ts'
import type { Reader } from '../store/store.ts'

/** How what a hub has may differ from what its registrations say. */
export const drifts = ['missing', 'disabled', 'foreignKey'] as const
export type DriftKind = (typeof drifts)[number]

/** One device whose identity is not as its registration says. */
export interface Drift {
  readonly registrationId: string
  readonly deviceId: string
  readonly kind: DriftKind
  /** `impossible`: only the device's own proof would tell its credential; it is repaired when it registers again. */
  readonly repair: 'none' | 'done' | 'impossible'
}

/** What comparing a hub came to. */
export interface Reconciliation {
  readonly checked: number
  readonly drifts: readonly Drift[]
}

/** What reconciling works with. */
export interface ReconcileParts {
  readonly store: Reader
  readonly attestation: Provers
  readonly hubs: Hubs
  readonly monotonic: Monotonic
}

const page = 100
/** Milliseconds for which one page waits for the hub. */
const patience = 60_000

/**
 * Compare every registration that is assigned to the hub with the hub's registry, and repair the kinds of drift that are asked
 * for. A hub that refuses or does not answer ends it with a Refusal.
 */
export async function reconcile(
  idScope: IdScope,
  link: LinkedHub,
  repairs: ReadonlySet<DriftKind>,
  parts: ReconcileParts,
): Promise<Reconciliation> {
  const found: Drift[] = []
  let checked = 0
  for (let after = ''; ;) {
    const slice = await parts.store.registrations.sliceOfHub(idScope, link.hostName, { after, limit: page })
    const hub = parts.hubs(link, parts.monotonic() + patience)
    for (const registration of slice) {
      const { assignment, placement } = registration
      // What is on its way is not adrift.
      if (!assignment || placement) continue
      checked++
      const drift = await compare(idScope, registration, assignment, hub, repairs, parts)
      if (drift) found.push({ registrationId: registration.registrationId, deviceId: assignment.deviceId, ...drift })
    }
    if (slice.length < page) return { checked, drifts: found }
    after = slice.at(-1)?.registrationId.toLowerCase() ?? ''
  }
}

async function compare(
  idScope: IdScope,
  registration: Registration,
  { deviceId }: Assignment,
  hub: IotHub,
  repairs: ReadonlySet<DriftKind>,
  parts: ReconcileParts,
): Promise<Pick<Drift, 'kind' | 'repair'> | undefined> {
  const enrollment = await enrollmentOf(idScope, registration, parts)
  const credentials = credentialsOf(registration, enrollment, parts)
  const identity = await hub.device(deviceId)
  const kind = !identity
    ? 'missing'
    : identity['status'] === 'disabled'
      ? 'disabled'
      : credentials.length > 0 && !credentials.some((credential) => holds(identity, credential))
        ? 'foreignKey'
        : undefined
  if (!kind) return undefined
  if (!repairs.has(kind)) return { kind, repair: 'none' }
  if (identity && kind === 'disabled') {
    const enabled = await hub.replace({ ...identity, status: 'enabled', statusReason: null })
    return { kind, repair: enabled ? 'done' : 'none' }
  }
  const [credential] = credentials
  // Nobody whom the service would turn away is let in by it.
  if (!credential || enrollment?.provisioningStatus !== 'enabled') return { kind, repair: 'impossible' }
  const device = { deviceId, credential, iotEdge: enrollment.capabilities?.iotEdge ?? false }
  const { existed } = await ensureDevice(hub, device, identity !== undefined)
  if (!existed) await applyInitialTwin(hub, deviceId, enrollment.initialTwin)
  return { kind, repair: 'done' }
}

function enrollmentOf(
  idScope: IdScope,
  { registrationId, enrollmentGroupId }: Registration,
  { store }: ReconcileParts,
): Promise<Enrollment | undefined> {
  return enrollmentGroupId === undefined
    ? store.enrollments.get(idScope, registrationId)
    : store.enrollmentGroups.get(idScope, enrollmentGroupId)
}

function credentialsOf(
  { registrationId }: Registration,
  enrollment: Enrollment | undefined,
  { attestation }: ReconcileParts,
): readonly HubCredential[] {
  if (!enrollment) return []
  const member = enrollment.kind === 'group' ? registrationId : undefined
  return attestation[enrollment.attestation.type]?.knownCredentials?.(enrollment.attestation, member) ?? []
}
