import type { Peer } from '../../base/peer.ts'
import { parseSasToken } from '../../wire/sas-token.ts'
import { admitted, type Admitted } from '../admission.ts'
import { credentialOf } from '../credential.ts'
import type { Hub } from '../hub.ts'
import { findIdentity } from '../identity-table.ts'
import type { Right } from '../policy.ts'
import { policyToken } from '../policy-token.ts'
import type { Address } from '../registry.ts'

/** Tokens that one connection may present; a device's connection has one, which it renews. */
const mostTokens = 64

/** What a connection has proved: by its client certificate, and by the tokens that it presented so far. */
export class Claims {
  readonly #hub: Hub
  readonly #peer: Peer
  /** By resource: a new token takes the place of the old one. */
  readonly #tokens = new Map<string, string>()
  #refused: string | undefined

  constructor(hub: Hub, peer: Peer) {
    this.#hub = hub
    this.#peer = peer
  }

  /** Take a token; false if it is not one of a policy or device of this hub, or too many are held. */
  present(text: string): boolean {
    const token = parseSasToken(text)
    if (!token || !isOfHub(this.#hub, text)) {
      this.#refused = text
      return false
    }
    const key = `${token.keyName} ${token.resource}`
    if (!this.#tokens.has(key) && this.#tokens.size >= mostTokens) return false
    this.#tokens.set(key, text)
    return true
  }

  /** The device or module that the token was for which was refused last, if it said so. */
  get refusedFor(): Address | undefined {
    return deviceOf(parseSasToken(this.#refused ?? '')?.resource ?? '')
  }

  /** Of the tokens that came, the one by which this device was most likely meant to be let in: to tell why it was not. */
  lastFor({ deviceId }: Address): string | undefined {
    const held = [...this.#tokens.values()]
    const its = held.find((text) => deviceOf(parseSasToken(text)?.resource ?? '')?.deviceId === deviceId)
    return this.#refused ?? its ?? held.at(-1)
  }

  /** The device or module, if this connection has proved to be it. */
  device(address: Address): Admitted | undefined {
    for (const token of [...this.#tokens.values(), undefined]) {
      const found = admitted(this.#hub, address, token, this.#peer)
      if (found) return found
    }
    return undefined
  }

  /** When the last of the tokens expires, in milliseconds since 1970; never without any. */
  lastExpiry(): number {
    if (this.#tokens.size === 0) return Infinity
    return Math.max(...Array.from(this.#tokens.values(), (text) => (parseSasToken(text)?.expiry ?? 0) * 1000))
  }

  /** True if a token that was presented gives the right at this path, whose case does not matter: SDKs write it in either. */
  holds(right: Right, path: readonly string[]): boolean {
    return [...this.#tokens.values()].some((text) => {
      const token = policyToken(this.#hub, text)
      return (
        token?.policy.rights.has(right) &&
        token.scope.every((segment, index) => segment.toLowerCase() === path[index]?.toLowerCase())
      )
    })
  }
}

/** True if a policy of the hub, or one of its devices or modules, signed the token. */
function isOfHub(hub: Hub, text: string): boolean {
  if (policyToken(hub, text)) return true
  const address = deviceOf(parseSasToken(text)?.resource ?? '')
  const identity = address && findIdentity(hub.database, hub.name, address.deviceId, address.moduleId)
  const nobody: Peer = { remoteAddress: '', certificateChain: [] }
  return identity !== undefined && credentialOf(hub, identity, text, nobody) !== undefined
}

const deviceResource = /^(?:[a-z]+:\/\/)?[^/]+\/devices\/([^/]+)(?:\/modules\/([^/]+))?\/?$/i

function deviceOf(resource: string): Address | undefined {
  const [, deviceId, moduleId = ''] = deviceResource.exec(resource) ?? []
  if (deviceId === undefined) return undefined
  try {
    return { deviceId: decodeURIComponent(deviceId), moduleId: decodeURIComponent(moduleId) }
  } catch {
    return { deviceId, moduleId }
  }
}
