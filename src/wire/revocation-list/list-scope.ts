import { DerMalformed, readDer, type DerElement } from '../der.ts'
import { distinguishedName } from '../distinguished-name.ts'
import { readPointNames, readReasonFlags } from '../distribution-point.ts'

/** Which of its issuer's certificates, and which reasons, a list is about. [RFC 5280 §5.2.5] */
export interface ListScope {
  /** `user`: certificates that are no CAs. */
  readonly certificates: 'all' | 'user' | 'ca'
  /** Absent: every reason. */
  readonly reasons?: readonly string[]
  /** The part of its issuer's certificates that points there, for people. */
  readonly distributionPoint?: string
  /** The same, as `readPointNames` gives it. */
  readonly points?: readonly string[]
  /** It may speak of certificates of other issuers too. */
  readonly indirect?: true
}

/** Of a list that does not say otherwise. */
export const wholeScope: ListScope = { certificates: 'all' }

const tags = { distributionPoint: 0xa0, user: 0x81, ca: 0x82, reasons: 0x83, indirect: 0x84, attribute: 0x85 } as const
const longestPoint = 2048

/** Read the IssuingDistributionPoint of a list of this issuer; throws DerMalformed if the list is about no certificates here. */
export function readScope(value: Buffer, issuer: Buffer): ListScope {
  const [point] = readDer(value)
  const parts = point ? readDer(point.content) : []
  const is = (tag: number) => parts.some((part) => part.tag === tag && part.content[0] !== 0)
  if (is(tags.attribute)) throw new DerMalformed('the list is about attribute certificates, which no device presents')
  if (is(tags.user) && is(tags.ca)) throw new DerMalformed('the list is about user certificates only and CAs only')
  const unknown = parts.find(({ tag }) => !Object.values<number>(tags).includes(tag))
  if (unknown) throw new DerMalformed('the scope of the list has a part that is not known here')
  const reasons = parts.find(({ tag }) => tag === tags.reasons)
  const distributionPoint = parts.find(({ tag }) => tag === tags.distributionPoint)
  return {
    certificates: is(tags.user) ? 'user' : is(tags.ca) ? 'ca' : 'all',
    ...(reasons && { reasons: readReasonFlags(reasons.content) }),
    ...(distributionPoint && {
      distributionPoint: pointText(distributionPoint),
      points: readPointNames(distributionPoint.content, issuer),
    }),
    ...(is(tags.indirect) && { indirect: true }),
  }
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
