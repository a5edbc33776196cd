import type { AmqpError } from '../../wire/amqp/performatives.ts'
import type { AmqpGiver, AmqpLink, AmqpSender, AmqpTaker, LinkRefused } from '../../wire/amqp/service.ts'
import type { Hub } from '../hub.ts'
import { eventsEntity, type LinkAddress } from './addresses.ts'
import type { Claims } from './claims.ts'
import { noSuchLink, unauthorized } from './errors.ts'
import { describe, eventHubName, isPartition, redirection } from './event-hub.ts'
import { eventPosition, eventsGiver } from './events-link.ts'
import { feedbackGiver } from './feedback-link.ts'
import { RequestChannel } from './request-channel.ts'
import { sendTaker } from './send-link.ts'

type ServiceAddress = Exclude<LinkAddress, { readonly kind: 'claims' | 'device' }>

/** A service's dealings with a hub: messages to devices, what became of them, and what devices sent. [service-wire §13.5] */
export class ServiceLinks {
  readonly #hub: Hub
  readonly #claims: Claims
  readonly #management: RequestChannel
  readonly #ends = new Set<() => void>()

  constructor(hub: Hub, claims: Claims) {
    this.#hub = hub
    this.#claims = claims
    this.#management = new RequestChannel((request) => describe(hub, request))
  }

  takes(address: ServiceAddress): AmqpTaker | LinkRefused {
    if (!this.#isPermitted(address)) return forbidden
    if (address.kind === 'deviceBound') return sendTaker(this.#hub)
    if (address.kind !== 'events') return noSuchLink
    if (address.entity === eventsEntity) return { refused: redirection(this.#hub, address.path) }
    if (!this.#isManagement(address)) return noSuchLink
    return { take: (request) => this.#management.take(request) }
  }

  gives(address: ServiceAddress, link: AmqpLink, sender: AmqpSender): AmqpGiver | LinkRefused {
    if (!this.#isPermitted(address)) return forbidden
    switch (address.kind) {
      case 'feedback':
        return this.#untilTheEnd(feedbackGiver(this.#hub, sender))
      case 'fileNotifications':
        // There are no files, and so nothing to notify of. Refused, the link would take the client's other links with it.
        return {}
      case 'events':
        return this.#givesEvents(address, link, sender)
      case 'deviceBound':
        return noSuchLink
    }
  }

  /** The connection is gone. */
  left(): void {
    for (const end of this.#ends) end()
  }

  #givesEvents(
    address: Extract<ServiceAddress, { readonly kind: 'events' }>,
    link: AmqpLink,
    sender: AmqpSender,
  ): AmqpGiver | LinkRefused {
    if (address.entity === eventsEntity)
      return this.#untilTheEnd(detachedSoon(sender, redirection(this.#hub, address.path)))
    if (this.#isManagement(address)) return this.#management.answerOn(link.clientAddress, sender)
    if (address.entity !== eventHubName(this.#hub) || !isPartition(address.path)) return noSuchLink
    const position = eventPosition(this.#hub, link.terminus)
    return position ? this.#untilTheEnd(eventsGiver(this.#hub, position, sender)) : noSuchFilter
  }

  #isManagement({ entity, path }: Extract<ServiceAddress, { readonly kind: 'events' }>): boolean {
    return path[0] === '$management' && (entity === '' || entity === eventHubName(this.#hub))
  }

  #untilTheEnd(giver: AmqpGiver & { readonly end: () => void }): AmqpGiver {
    this.#ends.add(giver.end)
    return {
      ...giver,
      detached: () => {
        this.#ends.delete(giver.end)
        giver.end()
      },
    }
  }

  #isPermitted(address: ServiceAddress): boolean {
    return this.#claims.holds('ServiceConnect', pathOf(this.#hub, address))
  }
}

/** What a token may be limited to. */
function pathOf(hub: Hub, address: ServiceAddress): readonly string[] {
  switch (address.kind) {
    case 'deviceBound':
      return ['messages', 'devicebound']
    case 'feedback':
      return ['messages', 'servicebound', 'feedback']
    case 'fileNotifications':
      return ['messages', 'servicebound', 'filenotifications']
    case 'events':
      if (address.entity === eventsEntity) return [...eventsEntity.split('/'), ...address.path]
      return [address.entity === '' ? eventHubName(hub) : address.entity, ...address.path]
  }
}

/** Milliseconds in which a client's program hears that its link is there, and begins to listen for what becomes of it. */
const attention = 50

/**
 * A link that is there and then detached, with the reason: programs that follow the redirect as Microsoft's samples do listen
 * for it only once they have the link, and would not hear of a link that is refused at once.
 */
function detachedSoon(sender: AmqpSender, reason: AmqpError): AmqpGiver & { readonly end: () => void } {
  const timer = setTimeout(() => sender.detach(reason), attention)
  return { end: () => clearTimeout(timer) }
}

const forbidden = unauthorized('no token of a policy with ServiceConnect for this address was put on this connection')
const noSuchFilter: LinkRefused = {
  refused: { condition: 'amqp:not-implemented', description: 'the filter is none by offset, number or enqueued time' },
}
