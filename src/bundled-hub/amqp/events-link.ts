import { asDescribed, asList, asMap, asText } from '../../wire/amqp/decoding.ts'
import { long, string, timestamp, type Encoded } from '../../wire/amqp/encoding.ts'
import { writeMessage } from '../../wire/amqp/message.ts'
import type { AmqpGiver, AmqpSender } from '../../wire/amqp/service.ts'
import type { Hub } from '../hub.ts'
import { findIdentity } from '../identity-table.ts'
import type { TelemetryMessage } from '../telemetry.ts'
import { messageOf } from './message-bag.ts'

/** Where a reader of events begins. */
export interface EventPosition {
  readonly after: number
  /** Milliseconds since 1970. */
  readonly enqueuedAfter: number
}

/** Events that are read at once, each of up to 320 KiB: what a client does not take of them is held for it. */
const mostAtOnce = 8
const selector =
  /^amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time(?:-utc)?)\s*(>=?)\s*'?(@latest|-?\d+)'?$/

/** Where the filter in the source of a link says to begin: at the beginning without one; undefined if it is not understood. */
export function eventPosition(hub: Hub, source: Encoded): EventPosition | undefined {
  const filters = asMap(asList(asDescribed(source)?.value ?? source)?.[7] ?? source) ?? []
  const texts = filters.map(([, filter]) => asText(asDescribed(filter)?.value ?? filter) ?? '')
  let position: EventPosition = { after: -1, enqueuedAfter: -1 }
  for (const text of texts) {
    const [, name, comparison, value] = selector.exec(text.trim()) ?? []
    if (name === undefined || value === undefined) return undefined
    const number = value === '@latest' ? (hub.telemetry.ends(hub.name)?.last ?? -1) : Number(value)
    const beyond = comparison === '>=' && value !== '@latest' ? number - 1 : number
    position = name.startsWith('enqueued') ? { ...position, enqueuedAfter: beyond } : { ...position, after: beyond }
  }
  return position
}

/** Gives what all devices of the hub sent, from a position on, as the events of an Event Hub's only partition. [service-wire §13.5] */
export function eventsGiver(
  hub: Hub,
  { after, enqueuedAfter }: EventPosition,
  sender: AmqpSender,
): AmqpGiver & {
  readonly end: () => void
} {
  let position = after

  function give(): void {
    for (let free = sender.free(); free > 0; free = sender.free()) {
      const events = hub.telemetry.readAll(hub.name, position, enqueuedAfter, Math.min(free, mostAtOnce))
      if (events.length === 0) return
      for (const event of events) void sender.send(eventMessage(hub, event), { settled: true })
      position = events.at(-1)?.position ?? position
    }
  }

  const end = hub.telemetry.onKept(give)
  return { ready: give, detached: end, end }
}

function eventMessage(hub: Hub, event: TelemetryMessage): Buffer {
  const { deviceId, moduleId, position, enqueued } = event
  const message = messageOf(event.properties, event.body)
  const identity = findIdentity(hub.database, hub.name, deviceId, moduleId)
  const scope = moduleId === '' ? 'device' : 'module'
  const type = identity?.authentication.type === 'selfSigned' ? 'x509' : 'sas'
  const annotations: [string, Encoded][] = [
    ['x-opt-sequence-number', long(position)],
    ['x-opt-offset', string(String(position))],
    ['x-opt-enqueued-time', timestamp(enqueued)],
    ['iothub-connection-device-id', string(deviceId)],
    ...(moduleId === '' ? [] : ([['iothub-connection-module-id', string(moduleId)]] satisfies [string, Encoded][])),
    ['iothub-connection-auth-method', string(JSON.stringify({ scope, type, issuer: 'iothub' }))],
    ['iothub-connection-auth-generation-id', string(identity?.generation ?? '')],
    ['iothub-enqueuedtime', timestamp(enqueued)],
    ['iothub-message-source', string('Telemetry')],
  ]
  return writeMessage({ ...message, annotations: [...annotations, ...(message.annotations ?? [])] })
}
