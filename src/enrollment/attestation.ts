import type { AttestationMechanism, Enrollment, EnrolledCertificate, X509Mechanism } from '../model/enrollment.ts'
import { Secret } from '../base/secret.ts'
import { readCertificateText } from '../wire/certificate.ts'
import { parseStorageKey } from '../wire/tpm/storage-key.ts'
import { MalformedTpmStructure } from '../wire/tpm/reader.ts'
import { readCertificateFields } from '../wire/x509/certificate-fields.ts'
import { authorityOf } from '../wire/x509/path-rules.ts'
import type { Members } from '../model/members.ts'

const types = ['symmetricKey', 'x509', 'tpm', 'none'] as const
const x509Members = ['clientCertificates', 'signingCertificates', 'caReferences'] as const
const slots = ['primary', 'secondary'] as const

/** What the request's attestation is read against. */
export interface AttestationContext {
  readonly kind: Enrollment['kind']
  /** The mechanism that is being replaced: what the request leaves out or shows only as `info` is kept from it. */
  readonly stored?: AttestationMechanism | undefined
  readonly newKey: () => Secret
}

/** The mechanism that the request asks for, complete with its secrets. [service-wire §3.3] */
export function readAttestation(body: Members, context: AttestationContext): AttestationMechanism {
  const attestation = body.object('attestation')
  if (!attestation) throw body.refusal('attestation', 'is required')
  const type = attestation.oneOf('type', types)
  if (type === undefined) throw attestation.refusal('type', 'is required')
  for (const other of types) {
    if (other !== type && attestation.has(other)) throw attestation.refusal(other, `does not go with type ${type}`)
  }
  switch (type) {
    case 'symmetricKey':
      return readSymmetricKey(attestation, context)
    case 'x509':
      return readX509(attestation, context)
    case 'tpm':
      if (context.kind === 'group') throw attestation.refusal('type', 'tpm is for individual enrollments only')
      return readTpm(attestation)
    case 'none':
      throw attestation.refusal('type', 'none lets nobody in')
  }
}

function readSymmetricKey(attestation: Members, { stored, newKey }: AttestationContext): AttestationMechanism {
  const keys = attestation.object('symmetricKey')
  const kept = stored?.type === 'symmetricKey' ? stored : undefined
  return {
    type: 'symmetricKey',
    primaryKey: readKey(keys, 'primaryKey') ?? kept?.primaryKey ?? newKey(),
    secondaryKey: readKey(keys, 'secondaryKey') ?? kept?.secondaryKey ?? newKey(),
  }
}

/** Absent, null and empty are the same: C# writes back `""` for the keys that it was not shown. */
function readKey(keys: Members | undefined, name: 'primaryKey' | 'secondaryKey'): Secret | undefined {
  const text = keys?.text(name)
  if (!keys || !text) return undefined
  const key = Secret.fromBase64(text)
  if (!key || key.length < 16 || key.length > 64) throw keys.refusal(name, 'must be base64 of 16 to 64 bytes')
  return key
}

function readX509(attestation: Members, { kind, stored }: AttestationContext): X509Mechanism {
  const x509 = attestation.object('x509')
  if (!x509) throw attestation.refusal('x509', 'is required')
  const given = x509Members.filter((name) => x509.has(name))
  const [of] = given
  if (of === undefined) throw x509.refusal('', `needs one of ${x509Members.join(', ')}`)
  if (given.length > 1) throw x509.refusal(given[1]!, `excludes ${of}`)
  if (of === (kind === 'group' ? 'clientCertificates' : 'signingCertificates')) {
    throw x509.refusal(of, `is not for ${kind === 'group' ? 'enrollment groups' : 'individual enrollments'}`)
  }
  const pair = x509.object(of)!
  if (!slots.some((slot) => pair.has(slot))) throw pair.refusal('primary', 'is required')
  if (of === 'caReferences') {
    const names = readSlots((slot) => pair.text(slot) || undefined)
    if (!names.primary && !names.secondary) throw pair.refusal('primary', 'is required')
    return { type: 'x509', of, ...names }
  }
  const kept = stored?.type === 'x509' && stored.of === of ? [stored.primary, stored.secondary] : []
  const read = of === 'signingCertificates' ? readSigningSlot : readSlot
  return { type: 'x509', of, ...readSlots((slot) => read(pair.object(slot), kept)) }
}

function readSlots<T>(read: (slot: 'primary' | 'secondary') => T | undefined): { primary?: T; secondary?: T } {
  const [primary, secondary] = slots.map(read)
  return { ...(primary !== undefined && { primary }), ...(secondary !== undefined && { secondary }) }
}

/** A certificate that says of itself that it is no CA's could never vouch for a device. */
function readSigningSlot(
  entry: Members | undefined,
  kept: readonly (EnrolledCertificate | undefined)[],
): EnrolledCertificate | undefined {
  const certificate = readSlot(entry, kept)
  if (!certificate || kept.includes(certificate)) return certificate
  const authority = authorityOf(readCertificateFields(Buffer.from(certificate.der, 'base64')))
  if (typeof authority === 'object') throw entry!.refusal('certificate', `cannot vouch for others: ${authority.not}`)
  return certificate
}

function readSlot(
  entry: Members | undefined,
  kept: readonly (EnrolledCertificate | undefined)[],
): EnrolledCertificate | undefined {
  if (!entry) return undefined
  const text = entry.text('certificate')
  if (text) {
    const certificate = readCertificateText(text)
    if (!certificate) throw entry.refusal('certificate', 'is not a certificate in PEM, base64 of DER or base64 of PEM')
    return certificate
  }
  const shown = entry.object('info')
  if (!shown) throw entry.refusal('certificate', 'is required')
  const sha256 = shown.text('sha256Thumbprint')?.toUpperCase()
  const sha1 = shown.text('sha1Thumbprint')?.toUpperCase()
  const found = kept.find((certificate) =>
    sha256 ? certificate?.info.sha256Thumbprint === sha256 : sha1 && certificate?.info.sha1Thumbprint === sha1,
  )
  if (!found) throw entry.refusal('info', 'is not of a certificate that this enrollment holds; send the certificate')
  return found
}

function readTpm(attestation: Members): AttestationMechanism {
  const tpm = attestation.object('tpm')
  const endorsementKey = tpm && readStorageKey(tpm, 'endorsementKey')
  if (!endorsementKey) throw attestation.refusal('tpm.endorsementKey', 'is required')
  const storageRootKey = readStorageKey(tpm, 'storageRootKey')
  return { type: 'tpm', endorsementKey, ...(storageRootKey !== undefined && { storageRootKey }) }
}

function readStorageKey(tpm: Members, name: 'endorsementKey' | 'storageRootKey'): string | undefined {
  const text = tpm.text(name)
  if (!text) return undefined
  try {
    parseStorageKey(Secret.fromBase64(text)?.reveal() ?? Buffer.alloc(0))
    return text
  } catch (error) {
    if (!(error instanceof MalformedTpmStructure)) throw error
    throw tpm.refusal(name, 'is not base64 of the TPM2B_PUBLIC of an RSA storage key')
  }
}
