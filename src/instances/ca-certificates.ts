import { randomBytes, X509Certificate } from 'node:crypto'
import type { CaCertificate } from '../model/ca-certificate.ts'
import { newEtag } from '../model/identifiers.ts'
import type { Members } from '../model/members.ts'
import { Refusal } from '../model/refusal.ts'
import { timestamp } from '../base/time.ts'
import { readCertificateText, type CertificateRecord } from '../wire/certificate.ts'
import { fieldsOf, readCertificateFields } from '../wire/x509/certificate-fields.ts'
import { signs } from '../wire/x509/known-certificates.ts'
import { commonName } from '../wire/x509/name.ts'
import { authorityOf } from '../wire/x509/path-rules.ts'
import type { EnrollingInstance } from '../enrollment/enrolling-instance.ts'
import { holds, type Precondition } from '../wire/precondition.ts'
import { shown } from '../base/printable.ts'

type Owner = Pick<EnrollingInstance, 'idScope' | 'store' | 'clock'>

/** Milliseconds that a verification code is good for. [service-wire §16.27] */
const codeLifetime = 7 * 24 * 60 * 60 * 1000
/** 48 hex digits fit a common name. [service-wire §8.5] */
const codeBytes = 24
const nameShape = /^[\w.-]{1,256}$/

/** What somebody wants uploaded. `isVerified` skips the proof of possession: the operator vouches. [service-wire §8.5] */
export interface Upload {
  readonly name: string
  /** PEM, or base64 of DER or PEM. */
  readonly text: string
  readonly isVerified: boolean | undefined
}

/**
 * Upload a CA certificate, or other bytes under the name of one, which are then unverified again. `replaces` is the etag that
 * was read, absent to create. Refuses what is no CA, has expired, is
 * uploaded under another name or is one more than `most`. [service-wire §8.5]
 */
export async function uploadCaCertificate(
  upload: Upload,
  precondition: Precondition,
  owner: Owner,
  most: number,
): Promise<CaCertificate> {
  const { idScope, store, clock } = owner
  const { name, text, isVerified } = upload
  if (!nameShape.test(name)) {
    throw new Refusal('CaCertificateInvalid', 'a name has 1 to 256 letters, digits, dots, hyphens and underscores')
  }
  const record = readCa(text, clock())
  const stored = await store.caCertificates.get(idScope, name)
  // Whoever creates one may send any If-Match: clients send what they have.
  if (stored) demandEtag(stored, precondition)
  if (!stored && (await store.caCertificates.all(idScope)).length >= most) {
    throw new Refusal('CaCertificateInvalid', `the instance has its ${most} certificates already`)
  }

  const now = timestamp(clock())
  const certificate: CaCertificate = {
    ...record,
    name: stored?.name ?? name,
    isVerified: isVerified ?? (stored?.der === record.der && stored.isVerified),
    etag: newEtag(),
    createdDateTimeUtc: stored?.createdDateTimeUtc ?? now,
    lastUpdatedDateTimeUtc: now,
  }
  await store.transact((write) => write.caCertificates.put(idScope, certificate, stored?.etag))
  return certificate
}

/** The instance's certificate of this name; refuses if there is none. */
export async function caCertificateNamed(
  name: string,
  { idScope, store }: Pick<Owner, 'idScope' | 'store'>,
): Promise<CaCertificate> {
  const stored = await store.caCertificates.get(idScope, name)
  if (!stored) throw new Refusal('ResourceAbsent', `the instance has no certificate ${shown(name)}`)
  return stored
}

/** Delete the certificate; gives it, or undefined if there is none. [service-wire §8.5] */
export async function deleteCaCertificate(
  name: string,
  precondition: Precondition,
  { idScope, store }: Owner,
): Promise<CaCertificate | undefined> {
  const stored = await store.caCertificates.get(idScope, name)
  if (!stored) return undefined
  demandEtag(stored, precondition)
  await store.transact((write) => write.caCertificates.delete(idScope, stored.name, stored.etag))
  return stored
}

/** Refuses unless the precondition names the certificate's etag, or any. [service-wire §8.5] */
function demandEtag({ name, etag }: CaCertificate, precondition: Precondition): void {
  if (precondition === 'none') throw new Refusal('ResourceEtagMissing', `${name} exists; its etag is needed`)
  if (holds(precondition, etag)) return
  const given = precondition === 'exists' ? '*' : shown(precondition.etag)
  throw new Refusal('ResourceEtagMismatch', `If-Match is ${given}; ${name} has ${etag}`)
}

/** Give the certificate a new code, which a leaf signed by its key has to be named. Any code before is void. [service-wire §8.5] */
export async function generateVerificationCode(
  name: string,
  precondition: Precondition,
  owner: Owner,
): Promise<CaCertificate> {
  const { idScope, store, clock } = owner
  const stored = await caCertificateNamed(name, owner)
  demandEtag(stored, precondition)
  const code = randomBytes(codeBytes).toString('hex').toUpperCase()
  const certificate: CaCertificate = {
    ...stored,
    verification: { code, expiresDateTimeUtc: timestamp(clock() + codeLifetime) },
    etag: newEtag(),
    lastUpdatedDateTimeUtc: timestamp(clock()),
  }
  await store.transact((write) => write.caCertificates.put(idScope, certificate, stored.etag))
  return certificate
}

/** Verify the CA certificate if the leaf in the body proves possession of its key, which spends the code. [service-wire §8.5] */
export async function verifyPossession(
  name: string,
  body: Members,
  precondition: Precondition,
  owner: Owner,
): Promise<CaCertificate> {
  const { idScope, store, clock } = owner
  const stored = await caCertificateNamed(name, owner)
  demandEtag(stored, precondition)
  const leafText = body.text('certificate')
  if (leafText === undefined) throw body.refusal('certificate', 'is required')
  checkProof(stored, leafText, clock())
  const { verification: _, ...rest } = stored
  const certificate = { ...rest, isVerified: true, etag: newEtag(), lastUpdatedDateTimeUtc: timestamp(clock()) }
  await store.transact((write) => write.caCertificates.put(idScope, certificate, stored.etag))
  return certificate
}

function readCa(text: string, now: number): CertificateRecord {
  const record = readCertificateText(text)
  if (!record)
    throw new Refusal('CaCertificateInvalid', 'the text holds no X.509 certificate, as PEM or as base64 of DER')
  const fields = readCertificateFields(Buffer.from(record.der, 'base64'))
  const authority = authorityOf(fields)
  // A key that signs lists only issues nothing, and has to be known all the same.
  if (typeof authority === 'object' && !fields.extensions.keyUsage?.cRLSign) {
    throw new Refusal('CaCertificateInvalid', `${shown(record.info.subjectName)} is not a CA: ${authority.not}`)
  }
  if (fields.notAfter < now) {
    throw new Refusal('CaCertificateInvalid', `${shown(record.info.subjectName)} expired on ${record.info.notAfterUtc}`)
  }
  return record
}

function checkProof({ name, verification, der }: CaCertificate, leafText: string, now: number): void {
  const refuse = (detail: string) => new Refusal('PossessionNotProven', detail)
  if (!verification) throw refuse(`no code is outstanding for ${name}: it was never generated, or it was used`)
  if (verification.expiresDateTimeUtc < timestamp(now)) {
    throw refuse(`the code for ${name} expired on ${verification.expiresDateTimeUtc}; generate another`)
  }
  const record = readCertificateText(leafText)
  if (!record) throw refuse('the text holds no X.509 certificate, as PEM or as base64 of DER')
  const leaf = certificateOf(record)
  const found = commonName(fieldsOf(leaf).subject)
  if (found !== verification.code)
    throw refuse(`expected the common name ${verification.code}, found ${found === undefined ? 'none' : shown(found)}`)
  const ca = certificateOf({ der })
  if (!leaf.checkIssued(ca))
    throw refuse(`the leaf names ${shown(record.info.issuerName)} as its issuer, which is not ${name}`)
  if (!signs(ca, leaf)) throw refuse(`the leaf was not signed with the key of ${name}`)
  if (leaf.validToDate.getTime() < now) throw refuse(`the leaf expired on ${record.info.notAfterUtc}`)
}

function certificateOf({ der }: { readonly der: string }): X509Certificate {
  return new X509Certificate(Buffer.from(der, 'base64'))
}
