import type { MechanismKinds, MechanismContext } from '../attestation/attestation-kind.ts'
import type { JsonObject } from '../base/json.ts'
import type { AttestationMechanism } from '../model/enrollment.ts'
import type { Members } from '../model/members.ts'

/** A type that the service knows and nobody can use. [service-wire §3.3] */
const none = 'none'

/** The mechanism that the request asks for, complete with its secrets, as its kind reads it. [service-wire §3.3] */
export function readAttestation(body: Members, kinds: MechanismKinds, context: MechanismContext): AttestationMechanism {
  const attestation = body.object('attestation')
  if (!attestation) throw body.refusal('attestation', 'is required')
  const types = [...Object.keys(kinds), none]
  const type = attestation.oneOf('type', types)
  if (type === undefined) throw attestation.refusal('type', 'is required')
  for (const other of types) {
    if (other !== type && attestation.has(other)) throw attestation.refusal(other, `does not go with type ${type}`)
  }
  const kind = kinds[type]
  if (!kind) throw attestation.refusal('type', 'none lets nobody in')
  return kind.enrollment.read(attestation, context)
}

/** An attestation mechanism as clients see it; secrets only where `secrets` says so. */
export function attestationJson(mechanism: AttestationMechanism, kinds: MechanismKinds, secrets: boolean): JsonObject {
  const { type } = mechanism
  // Of one that is no longer offered, nobody knows what is secret.
  return { type, [type]: kinds[type]?.enrollment.write(mechanism, secrets) }
}
