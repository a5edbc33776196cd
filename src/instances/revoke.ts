import { disableDevice } from '../hub/disable.ts'
import type { IotHub } from '../hub/iot-hub.ts'
import { Refusal } from '../model/refusal.ts'
import { revocationKey, type Revocation, type RevokedSubject } from '../model/revocation.ts'
import type { LinkedHub } from '../model/service.ts'
import { timestamp } from '../base/time.ts'
import type { EnrollingInstance } from '../enrollment/enrolling-instance.ts'

type Owner = Pick<EnrollingInstance, 'idScope' | 'store' | 'clock'>

/** What became of the hub identity of a device that was revoked. */
export interface Cut {
  readonly registrationId: string
  readonly assignedHub: string
  readonly deviceId: string
  /** `failed`: the deny list holds, but the identity has to be disabled by other means, or by revoking again. */
  readonly identity: 'disabled' | 'absent' | 'failed'
  readonly detail?: string
}

/**
 * Deny these for ever, and disable the hub identities of the devices that are known by them. The deny list is written first, so
 * that a device that is cut cannot come back. [service-wire §11]
 */
export async function revoke(
  subjects: readonly RevokedSubject[],
  reason: string,
  owner: Owner,
  hubs: (link: LinkedHub) => IotHub,
): Promise<{ readonly revocations: readonly Revocation[]; readonly cut: readonly Cut[] }> {
  const { idScope, store, clock } = owner
  const createdDateTimeUtc = timestamp(clock())
  const revocations = subjects.map((subject) => {
    return { key: revocationKey(subject), subject, reason, source: 'operator', createdDateTimeUtc }
  })
  await store.transact((write) => revocations.forEach((revocation) => write.revocations.put(idScope, revocation)))

  const cut: Cut[] = []
  for (const registrationId of await devicesOf(subjects, owner)) {
    const registration = await store.registrations.get(idScope, registrationId)
    const { assignedHub, deviceId } = registration?.assignment ?? {}
    if (assignedHub === undefined || deviceId === undefined) continue
    cut.push({ registrationId, assignedHub, deviceId, ...(await disable(assignedHub, deviceId, reason, owner, hubs)) })
  }
  return { revocations, cut }
}

/** The registration IDs that were named, and those of individual enrollments that hold a named certificate. */
async function devicesOf(subjects: readonly RevokedSubject[], { idScope, store }: Owner): Promise<ReadonlySet<string>> {
  const found = new Set<string>()
  for (const subject of subjects) {
    if ('registrationId' in subject) found.add(subject.registrationId)
    if (!('thumbprint' in subject)) continue
    const thumbprint = subject.thumbprint.replaceAll(/[\s:]/g, '').toUpperCase()
    for (const { registrationId } of await store.enrollments.withCertificate(idScope, thumbprint)) {
      found.add(registrationId)
    }
  }
  return found
}

async function disable(
  assignedHub: string,
  deviceId: string,
  reason: string,
  { idScope, store }: Owner,
  hubs: (link: LinkedHub) => IotHub,
): Promise<Pick<Cut, 'identity' | 'detail'>> {
  const link = (await store.linkedHubs.all(idScope)).find(
    ({ hostName }) => hostName.toLowerCase() === assignedHub.toLowerCase(),
  )
  if (!link) return { identity: 'failed', detail: `${assignedHub} is no longer linked` }
  try {
    const identity = await disableDevice(hubs(link), deviceId, `revoked: ${reason}`)
    if (identity !== 'contended') return { identity }
    return { identity: 'failed', detail: `the identity at ${assignedHub} keeps changing` }
  } catch (error) {
    if (error instanceof Refusal) return { identity: 'failed', detail: error.detail }
    throw error
  }
}
