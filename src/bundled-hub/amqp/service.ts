import { randomBytes } from 'node:crypto'
import type { Peer } from '../../base/peer.ts'
import { readPlain, type SaslMechanisms } from '../../wire/amqp/sasl.ts'
import type { AmqpService } from '../../wire/amqp/service.ts'
import { admitted } from '../admission.ts'
import type { Hub } from '../hub.ts'
import { tellTurnedAway } from '../tell-turned-away.ts'
import { policyToken } from '../policy-token.ts'
import { HubClient } from './client.ts'

/** What SASL learned: the hub and the token that a client named, or only that it did without. */
export type HubIdentity = { readonly hub: Hub; readonly token: string } | 'nobody'

/** Hubs as an AMQP service among others on the same port. */
export interface HubAmqp extends AmqpService<HubIdentity> {
  /** True if this is the name of one of the hubs; a port may stand behind it. */
  readonly owns: (hostName: string) => boolean
  /** True if this is a user name of SASL PLAIN for a hub. */
  readonly ownsUser: (userName: string) => boolean
}

/** `{device}[/{module}]@sas.{hub}` or `{policy}@sas.root.{hub}`, the hub by its name or the first label of it. */
const userNameShape = /^(.+)@sas\.(root\.)?([^@]+)$/

/** The hubs' side of AMQP. [service-wire §13.5] */
export function hubAmqp(hubs: ReadonlyMap<string, Hub>): HubAmqp {
  const named = (hostName: string | undefined): Hub | undefined =>
    hubs.get((hostName ?? '').replace(/:\d+$/, '').toLowerCase())

  /** By the name that was dialled where it is known: several hubs may share a first label. */
  function hubOf(label: string, peer: Peer): Hub | undefined {
    const dialled = named(peer.serverName)
    const wanted = label.toLowerCase()
    const fits = (hub: Hub): boolean => hub.name === wanted || hub.name.split('.')[0] === wanted
    return dialled && fits(dialled) ? dialled : [...hubs.values()].find(fits)
  }

  async function plain(initialResponse: Buffer, peer: Peer): Promise<HubIdentity | undefined> {
    const { userName = '', password = '' } = readPlain(initialResponse) ?? {}
    const [, user = '', root, label = ''] = userNameShape.exec(userName) ?? []
    const hub = hubOf(label, peer)
    if (!hub) return undefined
    const [deviceId = '', moduleId = ''] = user.split('/')
    const proof = root ? policyToken(hub, password) : admitted(hub, { deviceId, moduleId }, password, peer)
    if (proof) peer.standing?.proved()
    else {
      peer.standing?.failed()
      if (!root) tellTurnedAway(hub, { deviceId, moduleId }, { protocol: 'Amqp', peer, token: password })
    }
    return proof ? { hub, token: password } : undefined
  }

  return {
    containerId: `IoTHubGW_${randomBytes(16).toString('hex')}`,
    hostName: 'gateway000000',
    owns: (hostName) => named(hostName) !== undefined,
    ownsUser: (userName) => userNameShape.test(userName),
    mechanisms: (peer): SaslMechanisms<HubIdentity> =>
      new Map([
        ['PLAIN', (initialResponse: Buffer) => plain(initialResponse, peer)],
        ['EXTERNAL', async () => 'nobody'],
        ['ANONYMOUS', async () => 'nobody'],
      ]),
    open: (identity = 'nobody', peer, opening) => {
      if (identity !== 'nobody') return new HubClient(identity.hub, peer, opening, identity.token)
      const hub = named(opening.hostName) ?? named(peer.serverName)
      if (hub) return new HubClient(hub, peer, opening)
      return { refused: { condition: 'amqp:not-found', description: 'no hub has the name that was dialled' } }
    },
  }
}
