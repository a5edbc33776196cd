import type { MqttConnection, MqttService, ConnectOutcome } from '../../wire/mqtt/connection.ts'
import { connack, type Connect } from '../../wire/mqtt/packets.ts'
import { quoted } from '../../base/printable.ts'
import { admitted } from '../admission.ts'
import type { Hub } from '../hub.ts'
import { clientOf } from '../identity.ts'
import type { Address } from '../registry.ts'
import { DeviceSession } from './session.ts'
import { tellTurnedAway } from '../tell-turned-away.ts'
import { openSubscriptions } from './subscriptions.ts'
import { publicationOf, topicBase } from './topics.ts'

const notAuthorized: ConnectOutcome = { refused: connack.notAuthorized }

/** Answers the CONNECTs whose user name begins with the name of one of the hubs, and no others. [service-wire §13.1] */
export function hubService(hubs: ReadonlyMap<string, Hub>): MqttService {
  return (connect, connection) => {
    const { userName = '' } = connect
    const slash = userName.indexOf('/')
    const hub = slash < 0 ? undefined : hubs.get(userName.slice(0, slash).toLowerCase())
    if (!hub) return undefined
    const admission = admit(hub, connect, connection, userName.slice(slash + 1))
    if ('refused' in admission) connection.peer.standing?.failed()
    else connection.peer.standing?.proved()
    return admission
  }
}

function admit(hub: Hub, connect: Connect, connection: MqttConnection, rest: string): ConnectOutcome {
  if (connect.clientId === '') return { refused: connack.identifierRejected }
  const { peer } = connection
  const address = addressOf(connect.clientId)
  const token = connect.password?.toString('utf8')
  const refuse = (found?: string): ConnectOutcome => {
    const why = found === undefined ? {} : { why: { reason: 'HubConnectInvalid', found } as const }
    tellTurnedAway(hub, address, { protocol: 'Mqtt', peer, token, ...why })
    return notAuthorized
  }
  if (!isFor(connect.clientId, rest)) {
    return refuse(
      `expected the user name ${hub.name}/{client ID}/?api-version=…, found ${quoted(connect.userName ?? '')}`,
    )
  }
  const admission = admitted(hub, address, token, peer)
  if (!admission) return refuse()
  if (!mayPublishWill(connect, address)) {
    return refuse(
      `expected a will for the device's own telemetry, found the topic ${quoted(connect.will?.topic ?? '')}`,
    )
  }
  const { identity, credential } = admission
  const { store, present } = openSubscriptions(hub, clientOf(identity), connect.cleanSession)
  const session = new DeviceSession(hub, connection, identity, credential.expires, store, connect.will)
  session.open(modelOf(rest))
  return { session, sessionPresent: present }
}

/** A client identifier may hold what separates the parts of a user name, so it is what the user name is read by. */
function isFor(clientId: string, rest: string): boolean {
  return rest === clientId || rest.startsWith(`${clientId}/`)
}

function addressOf(clientId: string): Address {
  const slash = clientId.indexOf('/')
  return slash < 0
    ? { deviceId: clientId, moduleId: '' }
    : { deviceId: clientId.slice(0, slash), moduleId: clientId.slice(slash + 1) }
}

function mayPublishWill({ will }: Connect, address: Address): boolean {
  return !will || publicationOf(topicBase(address), will.topic)?.kind === 'telemetry'
}

function modelOf(rest: string): string | undefined {
  const at = rest.lastIndexOf('/?')
  return at < 0 ? undefined : (new URLSearchParams(rest.slice(at + 2)).get('model-id') ?? undefined)
}
