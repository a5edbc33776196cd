import type { Peer } from '../base/peer.ts'
import { quoted, shown } from '../base/printable.ts'
import { sasTokenFault } from '../wire/sas-token-fault.ts'
import { parseSasToken } from '../wire/sas-token.ts'
import { isFor, pathOf } from './credential.ts'
import type { Hub } from './hub.ts'
import { clientOf } from './identity.ts'
import { findIdentity } from './identity-table.ts'
import type { Address } from './registry.ts'
import type { RefusedClient, Why } from './turned-away.ts'

/** Tell of a device that `admitted` did not let in. */
export function tellTurnedAway(
  hub: Hub,
  address: Address,
  attempt: Pick<RefusedClient, 'protocol' | 'peer' | 'token'> & { readonly why?: Why },
): void {
  const why = attempt.why ?? whyNot(hub, address, attempt.token, attempt.peer)
  hub.onTurnedAway({ ...attempt, hub: hub.name, client: clientOf(address), why })
}

/** In the order in which `admitted` looks. */
function whyNot(hub: Hub, address: Address, token: string | undefined, peer: Peer): Why {
  const { deviceId, moduleId } = address
  const identity = findIdentity(hub.database, hub.name, deviceId, moduleId)
  const device = findIdentity(hub.database, hub.name, deviceId)
  if (!identity || !device) {
    const absent = device ? `${shown(deviceId)} has no module ${shown(moduleId)}` : `has no device ${shown(deviceId)}`
    return { reason: 'HubDeviceUnknown', found: `hub ${hub.name} ${device ? `knows that ${absent}` : absent}` }
  }
  if (device.status !== 'enabled') {
    return { reason: 'HubDeviceDisabled', found: `${shown(deviceId)} is disabled at hub ${hub.name}` }
  }
  const known = {
    sas: 'by its keys',
    selfSigned: 'by its thumbprints',
    certificateAuthority: 'by a certificate of a CA',
    none: 'by nothing of its own',
  }
  const by = `${shown(clientOf(address))} is known ${known[identity.authentication.type]} at hub ${hub.name}`
  if (token) return { reason: 'HubTokenRefused', found: `${tokenFault(hub, address, token)}; ${by}` }
  const [leaf] = peer.certificateChain
  if (!leaf) return { reason: 'HubCredentialMissing', found: `no token and no client certificate came; ${by}` }
  return { reason: 'HubCertificateRefused', found: `the client certificate is not one that lets it in; ${by}` }
}

function tokenFault(hub: Hub, address: Address, text: string): string {
  const token = parseSasToken(text)
  if (!token) return `the token ${sasTokenFault(text)}`
  const late = Math.floor(hub.clock() / 1000) - token.expiry
  if (late >= 0) return `the token expired ${late} s ago; is the device's clock right?`
  const path = pathOf(hub, address)
  if (!isFor(token, path) && token.keyName === '')
    return `expected a token for ${shown(path)}, found ${quoted(token.resource)}`
  const policy = hub.policies.get(token.keyName.toLowerCase())
  if (token.keyName === '') return 'the token is signed with neither key of the identity'
  if (!policy)
    return `the token names a policy ${quoted(token.keyName)} that the hub does not have; a device's names none`
  if (!policy.rights.has('DeviceConnect')) return `policy ${policy.name} lacks the right DeviceConnect`
  return `the token is not signed with a key of policy ${policy.name}, or for another resource: ${quoted(token.resource)}`
}
