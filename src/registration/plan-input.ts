import type { Provers } from '../attestation/attestation-kind.ts'
import type { Evidence } from '../attestation/attestation.ts'
import type { Registration } from '../model/registration.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Reader } from '../store/store.ts'
import type { PlanInput } from './plan.ts'

/** A device that was attested; or, without evidence, one that its enrollment challenges first. */
type Device = Omit<PlanInput, 'registration' | 'linkedHubs' | 'proof' | 'needsHubKey'> & {
  readonly evidence?: Evidence
}

/** What a plan for the device is made from. */
export function planInput(
  device: Device,
  registration: Registration | undefined,
  linkedHubs: readonly LinkedHub[],
  kinds: Provers,
): PlanInput {
  const { type } = device.enrollment.attestation
  const kind = kinds[type]
  const proof = device.evidence ? { [type]: kind?.context(device.evidence) } : {}
  return { ...device, registration, linkedHubs, proof, needsHubKey: kind?.seal !== undefined }
}

/** The same, with what is remembered of the device and its hubs read now. */
export async function readPlanInput(
  device: Device,
  { store, attestation }: { readonly store: Reader; readonly attestation: Provers },
): Promise<PlanInput> {
  const { idScope } = device.service
  const [registration, linkedHubs] = await Promise.all([
    store.registrations.get(idScope, device.registrationId),
    store.linkedHubs.all(idScope),
  ])
  return planInput(device, registration, linkedHubs, attestation)
}
