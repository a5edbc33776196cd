import { DerMalformed, readDer, type DerElement } from '../der.ts'
import { distinguishedName } from '../distinguished-name.ts'

/** Which of its issuer's certificates, and which reasons, a list is about. [RFC 5280 §5.2.5] */
export interface ListScope {
  /** `user`: certificates that are no CAs. */
  readonly certificates: 'all' | 'user' | 'ca'
  /** Absent: every reason. */
  readonly reasons?: readonly string[]
  /** The part of its issuer's certificates that points there. */
  readonly distributionPoint?: string
}

/** Of a list that does not say otherwise. */
export const wholeScope: ListScope = { certificates: 'all' }

const tags = { distributionPoint: 0xa0, user: 0x81, ca: 0x82, reasons: 0x83, indirect: 0x84, attribute: 0x85 } as const
const longestPoint = 2048

/** The bits of ReasonFlags; the first is not used. */
const reasonFlags = [
  'unused',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'privilegeWithdrawn',
  'aACompromise',
] as const

/** Read an IssuingDistributionPoint; throws DerMalformed if the list is about other things than its issuer's certificates. */
export function readScope(value: Buffer): ListScope {
  const [point] = readDer(value)
  const parts = point ? readDer(point.content) : []
  const is = (tag: number) => parts.some((part) => part.tag === tag && part.content[0] !== 0)
  if (is(tags.indirect)) {
    throw new DerMalformed("indirect lists, which revoke other issuers' certificates, are not taken")
  }
  if (is(tags.attribute)) throw new DerMalformed('the list is about attribute certificates, which no device presents')
  if (is(tags.user) && is(tags.ca)) throw new DerMalformed('the list is about user certificates only and CAs only')
  const unknown = parts.find(({ tag }) => !Object.values<number>(tags).includes(tag))
  if (unknown) throw new DerMalformed('the scope of the list has a part that is not known here')
  const reasons = parts.find(({ tag }) => tag === tags.reasons)
  const distributionPoint = parts.find(({ tag }) => tag === tags.distributionPoint)
  return {
    certificates: is(tags.user) ? 'user' : is(tags.ca) ? 'ca' : 'all',
    ...(reasons && { reasons: reasonsOf(reasons.content) }),
    ...(distributionPoint && { distributionPoint: pointText(distributionPoint) }),
  }
}

function reasonsOf([, ...bytes]: Buffer): readonly string[] {
  return reasonFlags.filter((_, bit) => ((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1)
}

/** A CHOICE of a full name, `[0]`, which is mostly a URI, and a part of the issuer's name. */
function pointText({ content }: DerElement): string {
  if (content.length > longestPoint) throw new DerMalformed('the distribution point of the list is too long')
  const [name] = readDer(content)
  if (name?.tag !== 0xa0) return `#${content.toString('hex').toUpperCase()}`
  return readDer(name.content).map(generalName).join(' ')
}

function generalName({ tag, content }: DerElement): string {
  if (tag === 0x86) return content.toString('latin1')
  const [directory] = tag === 0xa4 ? readDer(content) : []
  return directory ? distinguishedName(directory.content) : `#${content.toString('hex').toUpperCase()}`
}
