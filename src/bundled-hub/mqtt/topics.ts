import type { Address } from '../registry.ts'

/** What a client can subscribe to; the bits are kept in the database. [service-wire §13.2] */
export const subscriptions = {
  twinAnswers: 1,
  desired: 2,
  methods: 4,
  deviceBound: 8,
  /** With `deviceBound`: granted QoS 1. */
  deviceBoundAcknowledged: 16,
  inputs: 32,
} as const

/** What a client may publish; `rid` is the text to echo. */
export type Publication =
  | { readonly kind: 'telemetry'; readonly properties: string }
  | { readonly kind: 'twinGet'; readonly rid: string }
  | { readonly kind: 'reported'; readonly rid: string; readonly version: number | undefined }
  | { readonly kind: 'methodAnswer'; readonly rid: string; readonly status: number }

/** Characters: even in three bytes each, they leave room for the rest of the answer's topic. */
const longestRequestId = 16_384
const twinGet = '$iothub/twin/GET'
const reported = '$iothub/twin/PATCH/properties/reported'
const methodAnswer = /^\$iothub\/methods\/res\/(\d{1,10})\//

/** `devices/{id}` or `devices/{id}/modules/{m}`; neither is encoded. */
export function topicBase({ deviceId, moduleId }: Address): string {
  return moduleId === '' ? `devices/${deviceId}` : `devices/${deviceId}/modules/${moduleId}`
}

/** The bits of a filter, or undefined if the client may not have it. */
export function subscriptionOf(base: string, filter: string, qos: number): number | undefined {
  switch (filter) {
    case '$iothub/twin/res/#':
      return subscriptions.twinAnswers
    case '$iothub/twin/PATCH/properties/desired/#':
      return subscriptions.desired
    case '$iothub/methods/POST/#':
      return subscriptions.methods
    case `${base}/messages/devicebound/#`:
      return subscriptions.deviceBound | (qos > 0 ? subscriptions.deviceBoundAcknowledged : 0)
    case `${base}/inputs/#`:
      return subscriptions.inputs
    default:
      return undefined
  }
}

/** What a topic means, or undefined if the client may not publish there. The `/` before `?` may be missing. */
export function publicationOf(base: string, topic: string): Publication | undefined {
  const events = `${base}/messages/events`
  if (topic === events) return { kind: 'telemetry', properties: '' }
  if (topic.startsWith(`${events}/`)) {
    return { kind: 'telemetry', properties: topic.slice(events.length + 1).replace(/\/$/, '') }
  }
  const rid = parameter(topic, '$rid')
  if (rid === undefined || rid.length > longestRequestId) return undefined
  if (isResource(topic, twinGet)) return { kind: 'twinGet', rid }
  if (isResource(topic, reported)) return { kind: 'reported', rid, version: version(topic) }
  const status = methodAnswer.exec(topic)?.[1]
  return status === undefined ? undefined : { kind: 'methodAnswer', rid, status: Number(status) }
}

/** `$rid` before `$version`: Java cuts the rid at `&$version`. [service-wire §13.2] */
export function twinAnswerTopic(status: number, rid: string, newVersion?: number): string {
  return `$iothub/twin/res/${status}/?$rid=${rid}${newVersion === undefined ? '' : `&$version=${newVersion}`}`
}

function isResource(topic: string, resource: string): boolean {
  return topic.startsWith(`${resource}/?`) || topic.startsWith(`${resource}?`)
}

function version(topic: string): number | undefined {
  const text = parameter(topic, '$version')
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function parameter(topic: string, name: string): string | undefined {
  const field = topic
    .slice(topic.lastIndexOf('?') + 1)
    .split('&')
    .find((one) => one.startsWith(`${name}=`))
  return field?.slice(name.length + 1)
}
