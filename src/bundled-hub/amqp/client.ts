import type { Peer } from '../../base/peer.ts'
import type { AmqpMessage } from '../../wire/amqp/message.ts'
import type { AmqpError } from '../../wire/amqp/performatives.ts'
import type {
  AmqpClient,
  AmqpGiver,
  AmqpLink,
  AmqpOpening,
  AmqpSender,
  AmqpTaker,
  LinkRefused,
} from '../../wire/amqp/service.ts'
import type { Hub } from '../hub.ts'
import { clientOf } from '../identity.ts'
import type { Address } from '../registry.ts'
import { linkAddress } from './addresses.ts'
import { Claims } from './claims.ts'
import { AmqpDevice } from './device.ts'
import { tellTurnedAway } from '../tell-turned-away.ts'
import { noSuchLink, unauthorized } from './errors.ts'
import { RequestChannel, type NodeAnswer } from './request-channel.ts'
import { ServiceLinks } from './service-links.ts'

/** What setTimeout can wait. */
const longestWait = 2 ** 31 - 1
const modelProperty = 'com.microsoft:model-id'

/** Whoever opened a connection to a hub: devices and services, by what they prove on it. [service-wire §13.5] */
export class HubClient implements AmqpClient {
  readonly #hub: Hub
  readonly #peer: Peer
  readonly #opening: AmqpOpening
  readonly #claims: Claims
  readonly #claimsChannel: RequestChannel
  readonly #service: ServiceLinks
  readonly #devices = new Map<string, AmqpDevice>()
  readonly #told = new Set<string>()
  #expiry: NodeJS.Timeout | undefined

  /** @param token that was presented before OPEN */
  constructor(hub: Hub, peer: Peer, opening: AmqpOpening, token?: string) {
    this.#hub = hub
    this.#peer = peer
    this.#opening = opening
    this.#claims = new Claims(hub, peer)
    this.#service = new ServiceLinks(hub, this.#claims)
    this.#claimsChannel = new RequestChannel((request) => this.#put(request))
    if (token !== undefined && this.#claims.present(token)) this.#closeAtExpiry()
  }

  takes(link: AmqpLink): AmqpTaker | LinkRefused {
    const address = linkAddress(link.address)
    if (!address) return noSuchLink
    switch (address.kind) {
      case 'claims':
        return { take: (request) => this.#claimsChannel.take(request) }
      case 'device': {
        const device = this.#device(address.device, link)
        return device instanceof AmqpDevice ? device.takes(address.channel) : device
      }
      default:
        return this.#service.takes(address)
    }
  }

  gives(link: AmqpLink, sender: AmqpSender): AmqpGiver | LinkRefused {
    const address = linkAddress(link.address)
    if (!address) return noSuchLink
    switch (address.kind) {
      case 'claims':
        return this.#claimsChannel.answerOn(link.clientAddress, sender)
      case 'device': {
        const device = this.#device(address.device, link)
        return device instanceof AmqpDevice ? device.gives(address.channel, sender) : device
      }
      default:
        return this.#service.gives(address, link, sender)
    }
  }

  closed(): void {
    clearTimeout(this.#expiry)
    this.#service.left()
    for (const device of this.#devices.values()) device.left()
  }

  #put({ applicationProperties, body }: AmqpMessage): NodeAnswer {
    if (applicationProperties.get('operation') !== 'put-token')
      return { status: 400, description: 'the operation is not put-token' }
    if (this.#present(body.toString('utf8'))) return { status: 200, description: 'OK' }
    return { status: 401, description: 'the token is not valid at this hub' }
  }

  #present(token: string): boolean {
    const isProof = this.#claims.present(token)
    if (isProof) this.#peer.standing?.proved()
    else {
      this.#peer.standing?.failed()
      const address = this.#claims.refusedFor
      if (address) this.#tell(address)
    }
    if (isProof) this.#closeAtExpiry()
    return isProof
  }

  #device(address: Address, link: AmqpLink): AmqpDevice | LinkRefused {
    const admitted = this.#claims.device(address)
    if (!admitted) {
      this.#peer.standing?.failed()
      this.#tell(address)
      return unauthorized(`nothing proves that this is ${clientOf(address)}, or it is not enabled`)
    }
    this.#peer.standing?.proved()
    const client = clientOf(address)
    const device = this.#devices.get(client) ?? new AmqpDevice(this.#hub, admitted.identity, () => this.#close(taken))
    this.#devices.set(client, device)
    const model = link.properties.get(modelProperty)
    if (model !== undefined) device.follows(model)
    this.#closeAtExpiry()
    return device
  }

  /** A device attaches several links at once: one refusal is told once. */
  #tell(address: Address): void {
    const client = clientOf(address)
    if (this.#told.has(client)) return
    this.#told.add(client)
    const token = this.#claims.lastFor(address)
    tellTurnedAway(this.#hub, address, { protocol: 'Amqp', peer: this.#peer, token })
  }

  #close(error: AmqpError): void {
    // Not from within a link's own frame: the sessions end before the connection does.
    setImmediate(() => void this.#opening.guard(() => this.#opening.close(error)))
  }

  /** A token is good until its expiry and not longer; SDKs present a new one before. [service-wire §13.1] */
  #closeAtExpiry(): void {
    const ends = [...this.#devices.values()].map(
      ({ identity }) => this.#claims.device(identity)?.credential.expires ?? 0,
    )
    const expires = ends.length > 0 ? Math.min(...ends) : this.#claims.lastExpiry()
    clearTimeout(this.#expiry)
    const left = expires - this.#hub.clock()
    if (left <= 0) return this.#close(expired)
    if (left === Infinity) return
    this.#expiry = setTimeout(
      () => void this.#opening.guard(() => this.#closeAtExpiry()),
      Math.min(left, longestWait),
    ).unref()
  }
}

const taken: AmqpError = {
  condition: 'amqp:link:stolen',
  description: 'the device connected again, was disabled or deleted, or its credentials changed',
}
const expired: AmqpError = { condition: 'amqp:unauthorized-access', description: 'the token has expired' }
