import type { AmqpClient, AmqpLink, AmqpSender, AmqpService } from '../wire/amqp/service.ts'
import { readPlain, type SaslMechanism, type SaslMechanisms } from '../wire/amqp/sasl.ts'
import { readAddress } from './amqp-sasl.ts'

/** A service that is known by the names it is dialled by, and by the user names of its clients. */
export interface NamedAmqp<Identity> extends AmqpService<Identity> {
  readonly owns: (hostName: string) => boolean
  readonly ownsUser: (userName: string) => boolean
}

/** Who authenticated before OPEN, and at which of the two services. */
export type SharedIdentity<Hub, Provisioning> = { readonly hub: Hub } | { readonly provisioning: Provisioning }

/**
 * Hubs and the device endpoint on one port. Who authenticates by SASL says by the user name where it wants to go; anybody else by
 * the name in OPEN; and where both are dialled by the same name, by the address of its first link.
 */
export function sharedAmqp<Hub, Provisioning>(
  hubs: NamedAmqp<Hub>,
  provisioning: AmqpService<Provisioning>,
): AmqpService<SharedIdentity<Hub, Provisioning>> {
  type Identity = SharedIdentity<Hub, Provisioning>

  return {
    containerId: provisioning.containerId,
    hostName: provisioning.hostName,
    mechanisms: (peer): SaslMechanisms<Identity> => {
      const atHubs = renamed(hubs.mechanisms(peer), (hub): Identity => ({ hub }))
      const atProvisioning = renamed(provisioning.mechanisms(peer), (one): Identity => ({ provisioning: one }))
      const plain: SaslMechanism<Identity> = async (initialResponse, challenge) => {
        const { userName = '' } = readPlain(initialResponse) ?? {}
        const there = hubs.ownsUser(userName) ? atHubs : atProvisioning
        return there.get('PLAIN')?.(initialResponse, challenge)
      }
      // What the device endpoint must not offer, such as ANONYMOUS, is offered where a hub was dialled. [device-wire §4.1]
      const isHub = peer.serverName !== undefined && hubs.owns(peer.serverName)
      return new Map([...atProvisioning, ['PLAIN', plain], ...(isHub ? without(atHubs, atProvisioning) : [])])
    },
    open: (identity, peer, opening) => {
      const atProvisioning = () => {
        const known = identity && 'provisioning' in identity ? identity.provisioning : undefined
        return provisioning.open(known, peer, opening)
      }
      const isNamed = hubs.owns(opening.hostName)
      if (!(identity && 'hub' in identity) && !isNamed) return atProvisioning()
      const atHub = hubs.open(identity && 'hub' in identity ? identity.hub : undefined, peer, opening)
      return 'refused' in atHub ? atHub : byFirstLink(atHub, atProvisioning)
    },
  }
}

/** The hub's client, unless the address of its first link is one that only the device endpoint has. */
function byFirstLink(hub: AmqpClient, atProvisioning: () => ReturnType<AmqpService<never>['open']>): AmqpClient {
  let chosen: ReturnType<AmqpService<never>['open']> | undefined
  const choose = ({ address }: AmqpLink) => (chosen ??= readAddress(address) ? atProvisioning() : hub)
  return {
    takes: (link) => {
      const client = choose(link)
      return 'refused' in client ? { ...client, closes: true } : client.takes(link)
    },
    gives: (link: AmqpLink, sender: AmqpSender) => {
      const client = choose(link)
      return 'refused' in client ? { ...client, closes: true } : client.gives(link, sender)
    },
    closed: () => {
      hub.closed()
      if (chosen && chosen !== hub && !('refused' in chosen)) chosen.closed()
    },
  }
}

function renamed<From, To>(mechanisms: SaslMechanisms<From>, rename: (identity: From) => To): SaslMechanisms<To> {
  return new Map(
    Array.from(mechanisms, ([name, mechanism]): [string, SaslMechanism<To>] => [
      name,
      async (initialResponse, challenge) => {
        const identity = await mechanism(initialResponse, challenge)
        return identity === undefined ? undefined : rename(identity)
      },
    ]),
  )
}

function without<T>(mechanisms: SaslMechanisms<T>, others: SaslMechanisms<T>): [string, SaslMechanism<T>][] {
  return [...mechanisms].filter(([name]) => !others.has(name))
}
