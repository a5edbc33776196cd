import { randomBytes } from 'node:crypto'
import type { DeviceId } from '../model/identifiers.ts'
import type { InitialTwin } from '../model/enrollment.ts'
import type { HubCredential } from '../model/hub-credential.ts'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import { Secret } from '../base/secret.ts'
import type { DeviceAuthentication, DeviceIdentity, IotHub, HubTwin, TwinData } from './iot-hub.ts'

/** The identity that a hub is to have for a device. */
export interface WantedDevice {
  readonly deviceId: DeviceId
  readonly credential: HubCredential
  readonly iotEdge: boolean
}

/** The identity a device has at its hub now. */
export interface HubDevice {
  /** The hub had the identity before. */
  readonly existed: boolean
  /** The key of an identity that authenticates by one. */
  readonly primaryKey?: Secret | undefined
}

/** How often a hub's operator may change the identity between our reading and our writing. */
const attempts = 5

/**
 * Create the device, or give the identity that is there the present credential; doing it twice leaves the same device. An
 * operator's `disabled` at the hub is kept. [service-wire §12.3]
 *
 * @param expected whether the hub is thought to have the device, which saves a call when it is right
 */
export async function ensureDevice(hub: IotHub, wanted: WantedDevice, expected: boolean): Promise<HubDevice> {
  let identity = expected ? await hub.device(wanted.deviceId) : undefined
  for (let attempt = 0; attempt < attempts; attempt++) {
    if (!identity) {
      const created = await hub.create(newIdentity(wanted))
      if (created) return { existed: false, primaryKey: primaryKeyOf(created) }
      identity = await hub.device(wanted.deviceId)
      continue
    }
    const updated = withCredential(identity, wanted)
    if (updated === identity) return { existed: true, primaryKey: primaryKeyOf(identity) }
    const replaced = await hub.replace(updated)
    if (replaced) return { existed: true, primaryKey: primaryKeyOf(replaced) }
    identity = await hub.device(wanted.deviceId)
  }
  throw new Refusal('HubUnavailable', `${hub.hostName}: the identity of ${wanted.deviceId} keeps changing`)
}

/** Give a device its first configuration; nothing is sent when there is none. */
export async function applyInitialTwin(hub: IotHub, deviceId: string, twin: InitialTwin | undefined): Promise<void> {
  const tags = withoutSystemMembers(twin?.tags)
  const desired = withoutSystemMembers(twin?.properties?.desired)
  if (!tags && !desired) return
  await hub.mergeTwin(deviceId, { ...(tags && { tags }), ...(desired && { properties: { desired } }) })
}

/**
 * Create the device, with the whole of another hub's twin where there is one. An identity of that name that is there already
 * goes: it is not what the device had.
 */
export async function createAnew(hub: IotHub, wanted: WantedDevice, twin: TwinData | undefined): Promise<void> {
  const create = async () =>
    twin ? await hub.createWithTwin(newIdentity(wanted), twin) : (await hub.create(newIdentity(wanted))) !== undefined
  for (let attempt = 0; !(await create()); attempt++) {
    if (attempt === attempts)
      throw new Refusal('HubUnavailable', `${hub.hostName}: the identity of ${wanted.deviceId} keeps coming back`)
    await hub.remove(wanted.deviceId)
  }
}

/** A twin's content without what its hub keeps for itself: versions, metadata, times. */
export function twinData({ tags, properties }: HubTwin): TwinData {
  return {
    tags: withoutSystemMembers(tags),
    desired: withoutSystemMembers(properties?.desired),
    reported: withoutSystemMembers(properties?.reported),
  }
}

function newIdentity({ deviceId, credential, iotEdge }: WantedDevice): DeviceIdentity {
  return { deviceId, authentication: authenticationOf(credential), capabilities: { iotEdge } }
}

/** Whether the hub lets in a device with this credential; a hub's own key is always the right one. */
export function holds({ authentication }: DeviceIdentity, credential: HubCredential): boolean {
  return credential.type === 'hubKey' || sameAuthentication(authentication, authenticationOf(credential))
}

/** The same object if the identity is already as wanted. */
function withCredential(identity: DeviceIdentity, { credential, iotEdge }: WantedDevice): DeviceIdentity {
  const keeps = credential.type === 'hubKey' && primaryKeyOf(identity) !== undefined
  const authentication = keeps ? identity.authentication : authenticationOf(credential)
  const same = keeps || sameAuthentication(identity.authentication, authentication)
  if (same && (identity.capabilities?.iotEdge ?? false) === iotEdge) return identity
  return { ...identity, authentication, capabilities: { ...identity.capabilities, iotEdge } }
}

function authenticationOf(credential: HubCredential): DeviceAuthentication {
  switch (credential.type) {
    case 'sas':
      return sasAuthentication(credential.primaryKey, credential.secondaryKey)
    case 'selfSigned':
      return { type: 'selfSigned', x509Thumbprint: bothThumbprints(credential.primaryThumbprint) }
    case 'hubKey':
      // A TPM takes keys of up to 64 bytes; 32 is what it is given. [device-wire §5.4]
      return sasAuthentication(new Secret(randomBytes(32)), new Secret(randomBytes(32)))
  }
}

/** The secondary is the primary again, as the real service writes it: edgeHub fails to parse an identity without one. */
function bothThumbprints(thumbprint: string) {
  return { primaryThumbprint: thumbprint, secondaryThumbprint: thumbprint }
}

function sasAuthentication(primaryKey: Secret, secondaryKey: Secret): DeviceAuthentication {
  const symmetricKey = { primaryKey: primaryKey.revealBase64(), secondaryKey: secondaryKey.revealBase64() }
  return { type: 'sas', symmetricKey }
}

function sameAuthentication(a: DeviceAuthentication, b: DeviceAuthentication): boolean {
  if (a.type !== b.type) return false
  if (a.type === 'sas') {
    return (
      a.symmetricKey?.primaryKey === b.symmetricKey?.primaryKey &&
      a.symmetricKey?.secondaryKey === b.symmetricKey?.secondaryKey
    )
  }
  const [one, other] = [a.x509Thumbprint, b.x509Thumbprint]
  return one?.primaryThumbprint === other?.primaryThumbprint && one?.secondaryThumbprint === other?.secondaryThumbprint
}

function primaryKeyOf({ authentication }: DeviceIdentity): Secret | undefined {
  const key = authentication.type === 'sas' ? authentication.symmetricKey?.primaryKey : undefined
  return key ? Secret.fromBase64(key) : undefined
}

/** `$version`, `$metadata` and `$lastUpdated…` are the hub's. [service-wire §3.6] */
function withoutSystemMembers(object: JsonObject | undefined): JsonObject | undefined {
  if (!isJsonObject(object)) return undefined
  const own = Object.entries(object).filter(([member]) => !member.startsWith('$'))
  return own.length === 0 ? undefined : Object.fromEntries(own)
}
