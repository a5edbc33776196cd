import { isJsonObject, type Json, type JsonObject } from '../../base/json.ts'
import type { LinkedHub } from '../../model/service.ts'
import type { ToAllocate } from '../allocation.ts'
import { parseJson } from '../../base/json.ts'

/** The AllocationRequest that Azure Functions written for custom allocation expect. [service-wire §9.3] */
export function allocationRequest(
  { enrollment, registrationId, registration, proof, payload }: ToAllocate,
  candidates: readonly LinkedHub[],
  { record, withPayload }: { readonly record: JsonObject; readonly withPayload: boolean },
): JsonObject {
  const before = registration?.assignment
  return {
    [enrollment.kind === 'individual' ? 'individualEnrollment' : 'enrollmentGroup']: {
      ...record,
      // Shown as the quoted text that the base64 stands for.
      etag: Buffer.from(enrollment.etag, 'base64').toString('utf8'),
    },
    deviceRuntimeContext: {
      registrationId,
      currentIotHubHostName: before?.assignedHub,
      currentDeviceId: before?.deviceId,
      ...proof,
      payload: withPayload ? readable(payload) : undefined,
    },
    linkedHubs: candidates.map(({ hostName }) => hostName),
  }
}

/** Java sends its payload as JSON text inside a string. [device-wire §8.1] */
function readable(payload: Json | undefined): Json | undefined {
  if (typeof payload !== 'string') return payload
  const inner = parseJson(payload)
  return isJsonObject(inner) || Array.isArray(inner) ? inner : payload
}
