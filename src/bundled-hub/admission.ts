import type { Peer } from '../base/peer.ts'
import { credentialOf, type AcceptedProof } from './credential.ts'
import type { Hub } from './hub.ts'
import type { Identity } from './identity.ts'
import { findIdentity } from './identity-table.ts'
import type { Address } from './registry.ts'

/** A device or module that may come in, and how long. */
export interface Admitted {
  readonly identity: Identity
  readonly credential: AcceptedProof
}

/** The identity, if it is there and enabled, as a module is with its device, and what is presented proves it. */
export function admitted(hub: Hub, address: Address, token: string | undefined, peer: Peer): Admitted | undefined {
  const { deviceId, moduleId } = address
  const identity = findIdentity(hub.database, hub.name, deviceId, moduleId)
  if (!identity) return undefined
  const device = moduleId === '' ? identity : findIdentity(hub.database, hub.name, deviceId)
  if (device?.status !== 'enabled') return undefined
  const credential = credentialOf(hub, identity, token, peer)
  return credential && { identity, credential }
}
