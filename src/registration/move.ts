import type { DeviceId } from '../model/identifiers.ts'
import type { IotHub, TwinData } from '../hub/iot-hub.ts'
import { ensureDevice, twinData } from '../hub/provision.ts'
import { isJsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Placement } from '../model/registration.ts'
import { isHub, type LinkedHub } from '../model/service.ts'
import { makeWhole, noteHub, provisioned, type Applying, type Provisioned } from './applying.ts'
import type { Orphan } from './orphans.ts'

/** Milliseconds that a hub which is to lose a device is waited for, once the device has another. */
const patienceForRemoval = 2000

/** The new hub has the whole device before the old one loses it, and what it had there is written down before either. */
export async function move(planned: Placement, applying: Applying): Promise<Provisioned> {
  const { log, hub, device, begun, attested, linkedHubs, hubs, onStep } = applying
  const oldLink = linkedHubs.find((link) => isHub(link, planned.from))
  let placement = planned
  if (placement.phase === 'making') {
    const twin = await twinToMove(placement, oldLink && hubs(oldLink, log.until))
    await onStep?.('read')
    const substatus = twin ? 'deviceDataMigrated' : 'deviceDataReset'
    placement = { ...placement, twin: twin && { ...twin }, to: { ...placement.to, substatus } }
    await log.begin(placement, true)
    await onStep?.('journaled')
    await makeWhole(twin, placement, applying)
    placement = { ...placement, phase: 'removing' }
    await log.begin(placement, true)
    await onStep?.('committed')
  } else if (!(await hub.device(device.deviceId))) {
    await makeWhole(storedTwin(placement), placement, applying)
  }
  const { primaryKey } = await ensureDevice(hub, device, true)
  const orphan = oldLink && (await removeOld(oldLink, device.deviceId, applying))
  await onStep?.('removed')
  if (!oldLink)
    noteHub(attested, String(placement.from), 'is not linked any more: the identity there could not be removed')
  if (placement.twin?.['reported'] && !begun) await checkReported(applying)
  return { ...provisioned(placement.to, placement.payload, primaryKey, applying), orphan }
}

/** As it is now; or, where the old hub has lost the device, as it was when the move began. */
async function twinToMove(placement: Placement, old: IotHub | undefined): Promise<TwinData | undefined> {
  if (placement.to.substatus !== 'deviceDataMigrated') return undefined
  const twin = await old?.twin(placement.to.deviceId)
  return twin ? twinData(twin) : storedTwin(placement)
}

function storedTwin({ twin }: Placement): TwinData | undefined {
  if (!twin) return undefined
  const [tags, desired, reported] = [twin['tags'], twin['desired'], twin['reported']]
  return {
    ...(isJsonObject(tags) && { tags }),
    ...(isJsonObject(desired) && { desired }),
    ...(isJsonObject(reported) && { reported }),
  }
}

/** The device has its new hub already: an old one that does not answer is no reason to keep it waiting. */
async function removeOld(
  link: LinkedHub,
  deviceId: DeviceId,
  { log, hubs, attested }: Applying,
): Promise<Orphan | undefined> {
  try {
    await hubs(link, Math.min(log.until, log.monotonic() + patienceForRemoval)).remove(deviceId)
    return undefined
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    noteHub(attested, link.hostName, `the identity is removed later: ${error.detail}`)
    return { hub: link.hostName, deviceId }
  }
}

async function checkReported({ hub, device, attested }: Applying): Promise<void> {
  const twin = await hub.twin(device.deviceId)
  const kept = twin && twinData(twin).reported !== undefined
  if (!kept) noteHub(attested, hub.hostName, 'the hub ignored the reported properties')
}
