import { boolean, int, long, map, string, strings, timestamp, ushort, type Encoded } from '../../wire/amqp/encoding.ts'
import type { AmqpMessage } from '../../wire/amqp/message.ts'
import type { AmqpError } from '../../wire/amqp/performatives.ts'
import type { Hub } from '../hub.ts'
import type { NodeAnswer } from './request-channel.ts'

/** All events are in one, in the order in which they were kept. */
const onlyPartition = '0'
const port = 5671

/** The name of the hub's events as an Event Hub: what SDKs call the Event Hub-compatible name. */
export function eventHubName({ name }: Hub): string {
  return name.replaceAll('.', '-').replaceAll(':', '-')
}

/** Who asks for events at the hub's own address hears where they are: the Event Hubs SDKs look there for their endpoint. */
export function redirection(hub: Hub, path: readonly string[]): AmqpError {
  const address = `amqps://${hub.name}:${port}/${[eventHubName(hub), ...path].join('/')}`
  const info: [string, Encoded][] = [
    ['hostname', string(hub.name)],
    ['network-host', string(hub.name)],
    ['port', ushort(port)],
    ['address', string(address)],
  ]
  return { condition: 'amqp:link:redirect', description: `the events are at ${address}`, info }
}

/** True if the path is that of the partition, for any consumer group. */
export function isPartition([groups, group, partitions, partition, ...more]: readonly string[]): boolean {
  const isShape = groups?.toLowerCase() === 'consumergroups' && partitions?.toLowerCase() === 'partitions'
  return isShape && group !== undefined && partition === onlyPartition && more.length === 0
}

/** READ at `$management`: what the Event Hub, or its partition, is like. */
export function describe(hub: Hub, { applicationProperties }: AmqpMessage): NodeAnswer {
  const asked = (name: string): string => String(applicationProperties.get(name) ?? '')
  if (asked('operation') !== 'READ') return { status: 400, description: 'the operation is not READ' }
  if (asked('name') !== eventHubName(hub)) return { status: 404, description: 'there is no Event Hub of this name' }
  switch (asked('type')) {
    case 'com.microsoft:eventhub':
      return described(hub, 'com.microsoft:eventhub', [
        ['created_at', timestamp(0)],
        ['partition_count', int(1)],
        ['partition_ids', strings([onlyPartition])],
      ])
    case 'com.microsoft:partition':
      if (asked('partition') !== onlyPartition) return { status: 404, description: 'there is no such partition' }
      return described(hub, 'com.microsoft:partition', partitionProperties(hub))
    default:
      return { status: 400, description: 'the type is none that can be read' }
  }
}

function partitionProperties({ name, telemetry }: Hub): [string, Encoded][] {
  const ends = telemetry.ends(name)
  return [
    ['partition', string(onlyPartition)],
    ['begin_sequence_number', long(ends?.first ?? 0)],
    ['last_enqueued_sequence_number', long(ends?.last ?? -1)],
    ['last_enqueued_offset', string(String(ends?.last ?? -1))],
    ['last_enqueued_time_utc', timestamp(ends?.lastEnqueued ?? 0)],
    ['is_partition_empty', boolean(!ends)],
  ]
}

function described(hub: Hub, type: string, properties: readonly [string, Encoded][]): NodeAnswer {
  const entries: [string, Encoded][] = [['name', string(eventHubName(hub))], ['type', string(type)], ...properties]
  return { status: 200, description: 'OK', value: map(entries.map(([key, value]) => [string(key), value])) }
}
