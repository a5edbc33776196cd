import { DerMalformed, derTag, readDer, type DerElement } from './der.ts'
import { nameDigest, normalName, normalNameBelow } from './normal-name.ts'

/** The reasons for which a certificate may be revoked, in the order of the bits of ReasonFlags after the first. [RFC 5280 §4.2.1.13] */
export const revocationReasons = [
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
  'aACompromise',
] as const

const tags = { fullName: 0xa0, relativeName: 0xa1, uri: 0x86, directoryName: 0xa4 } as const
const mostNames = 64

/**
 * The names in the content of a DistributionPointName, each as a text that names of the same place share; a relative one is below
 * the issuer of the list, given by the content of its name. Kept in the store, so they never change. Throws DerMalformed.
 */
export function readPointNames(content: Buffer, listIssuer: Buffer): readonly string[] {
  const [choice, ...more] = readDer(content)
  if (more.length > 0) throw new DerMalformed('a distribution point with two names')
  if (choice?.tag === tags.relativeName) return [`dn:${nameDigest(normalNameBelow(listIssuer, choice.content))}`]
  if (choice?.tag !== tags.fullName) throw new DerMalformed('a distribution point without a name')
  const names = readDer(choice.content)
  if (names.length > mostNames) throw new DerMalformed(`a distribution point with more than ${mostNames} names`)
  return names.map(generalNameKey)
}

/** The place that is meant where a certificate names none: that of its issuer's name. [RFC 5280 §6.3.3] */
export function pointOfIssuer(issuer: Buffer): string {
  return `dn:${nameDigest(normalName(issuer))}`
}

/** The content of the X.501 name in the first GeneralName of these that is one. Throws DerMalformed if none is. */
export function readDirectoryName(generalNames: Buffer): Buffer {
  for (const { tag, content } of readDer(generalNames)) {
    const name = tag === tags.directoryName ? sequenceIn(content) : undefined
    if (name) return name
  }
  throw new DerMalformed('an issuer of lists that has no X.501 name')
}

/** The reasons in the content of a BIT STRING. */
export function readReasonFlags([, ...bytes]: Buffer): readonly string[] {
  return revocationReasons.filter((_, index) => ((bytes[(index + 1) >> 3] ?? 0) >> (7 - ((index + 1) & 7))) & 1)
}

function generalNameKey({ tag, content }: DerElement): string {
  if (tag === tags.uri) return `uri:${content.toString('latin1')}`
  const name = tag === tags.directoryName ? sequenceIn(content) : undefined
  return name ? `dn:${nameDigest(normalName(name))}` : `${tag}:${content.toString('hex')}`
}

function sequenceIn(content: Buffer): Buffer | undefined {
  const [name] = readDer(content)
  return name?.tag === derTag.sequence ? name.content : undefined
}
