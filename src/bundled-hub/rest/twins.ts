import { header, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import { ifMatch } from '../etag.ts'
import type { Hub } from '../hub.ts'
import type { Registered } from '../identity-table.ts'
import type { Address } from '../registry.ts'
import { type TwinChange, twinEtag, twinJson } from '../twin.ts'
import { existingTwin, patchTwin, replaceTwin } from '../twin-changes.ts'
import { twinChange } from '../twin-request.ts'
import { presenceOf } from '../presence.ts'
import { bodyObject, tagged } from './answer.ts'

/** GET /twins/{id}[/modules/{m}] */
export function getTwin(hub: Hub, address: Address): HttpResponse {
  return answer(hub, existingTwin(hub, address))
}

/** PATCH: merges tags and desired properties; without If-Match into whatever is there. */
export async function patch(hub: Hub, address: Address, request: HttpRequest): Promise<HttpResponse> {
  return answer(hub, await patchTwin(hub, address, await serviceChange(request), match(request)))
}

/** PUT: replaces the parts that the body has. */
export async function replace(hub: Hub, address: Address, request: HttpRequest): Promise<HttpResponse> {
  return answer(hub, await replaceTwin(hub, address, await serviceChange(request), match(request)))
}

/** Reported properties are the device's own: clients send them back as they read them, and they are left alone. */
async function serviceChange(request: HttpRequest): Promise<TwinChange> {
  const { tags, desired } = twinChange(await bodyObject(request))
  return { tags, desired }
}

function match(request: HttpRequest): string {
  return ifMatch(header(request, 'if-match')) ?? '*'
}

function answer(hub: Hub, { identity, twin }: Registered): HttpResponse {
  return tagged(twinJson(identity, twin, presenceOf(hub, identity)), twinEtag(twin))
}
