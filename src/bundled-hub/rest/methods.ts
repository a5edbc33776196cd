import type { HttpRequest, HttpResponse } from '../../wire/http.ts'
import { directMethod, invoke } from '../direct-method.ts'
import type { Hub } from '../hub.ts'
import type { Address } from '../registry.ts'
import { bodyObject, ok } from './answer.ts'

/** POST /twins/{id}[/modules/{m}]/methods [service-wire §13.4] */
export async function invokeMethod(hub: Hub, address: Address, request: HttpRequest): Promise<HttpResponse> {
  const { status, payload } = await invoke(hub, address, directMethod(await bodyObject(request)))
  return ok({ status, payload })
}
