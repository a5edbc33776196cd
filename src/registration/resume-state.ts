import type { Attested } from '../attestation/attestation.ts'
import type { Protocol } from '../model/decision.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'

/** What is remembered of a device for its operation to go on. */
export interface ResumeState {
  readonly apiVersion: string
  readonly protocol: Protocol
  readonly remoteAddress: string
  readonly payload?: Json | undefined
  readonly group?: string | undefined
  readonly evidence: JsonObject
}

/** What an operation has to remember of its device to go on after a restart; no secret is in it. */
export function resumeState({
  apiVersion,
  protocol,
  remoteAddress,
  payload,
  enrollment,
  evidence,
}: Attested): JsonObject {
  const group = enrollment.kind === 'group' ? enrollment.enrollmentGroupId : undefined
  return { apiVersion, protocol, remoteAddress, payload, group, evidence }
}

/** What `resumeState` wrote. */
export function readResumeState(resume: Json | undefined): ResumeState {
  const { apiVersion, protocol, remoteAddress, payload, group, evidence } = isJsonObject(resume) ? resume : {}
  return {
    apiVersion: String(apiVersion),
    protocol: protocol === 'Mqtt' || protocol === 'Amqp' ? protocol : 'Http',
    remoteAddress: String(remoteAddress),
    payload,
    group: typeof group === 'string' ? group : undefined,
    evidence: isJsonObject(evidence) ? evidence : {},
  }
}
