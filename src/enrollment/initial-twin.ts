import type { InitialTwin } from '../model/enrollment.ts'
import type { JsonObject } from '../base/json.ts'
import { patchFault, sizeFault, type TwinPart } from '../wire/twin-rules.ts'
import { memberRefusal, type Members } from '../model/members.ts'

// What the hub writes itself. Accepted, because clients write back what they read; dropped on the way to the hub.
const hubMembers = new Set(['$version', '$metadata', '$lastUpdated'])

/** The twin that the request asks for, checked against the hub's own rules, so that no device discovers a mistake. */
export function readInitialTwin(body: Members): InitialTwin | undefined {
  const twin = body.object('initialTwin')
  if (!twin) return undefined
  const tags = twin.json('tags')
  const desired = twin.object('properties')?.json('desired')
  if (tags) checkPart('initialTwin.tags', 'tags', tags)
  if (desired) checkPart('initialTwin.properties.desired', 'desired', desired)
  return { ...(tags && { tags }), ...(desired && { properties: { desired } }) }
}

function checkPart(path: string, part: TwinPart, document: JsonObject): void {
  const own = Object.fromEntries(Object.entries(document).filter(([member]) => !hubMembers.has(member)))
  const fault = patchFault(part, own) ?? sizeFault(part, own)
  if (fault) throw memberRefusal(path, `would be refused by an IoT hub: ${fault.message}`)
}
