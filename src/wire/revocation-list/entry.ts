import { DerMalformed, derTag, readDer, type DerElement } from '../der.ts'
import { readDirectoryName } from '../distribution-point.ts'
import { eachExtension } from './extensions.ts'

/** What a list says of one certificate. */
export interface RevokedCertificate {
  /** The integer in upper-case hex without leading zeros, after a minus sign if it is negative. */
  readonly serialNumber: string
  /** As RFC 5280 names it; `removeFromCRL` in a delta only. */
  readonly reason: string
  /** The content of the name of the certificate's issuer, where an indirect list names it; else it is the list's own. */
  readonly issuer?: Buffer
}

/** What the list is that an entry stands in. */
export interface EntryContext {
  readonly isDelta: boolean
  readonly isIndirect: boolean
}

const enumerated = 0x0a
/** Bytes. RFC 5280 has twenty; old CAs are known to have gone further. */
const longestSerial = 64
const reasonCode = '2.5.29.21'
const certificateIssuer = '2.5.29.29'
/** The date from which a key was no longer trusted, and what to do with a held certificate: neither changes that it is revoked. */
const harmless = ['2.5.29.24', '2.5.29.23']

/** The values of CRLReason; 7 is not used. [RFC 5280 §5.3.1] */
const reasons = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  'unspecified',
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
] as const

/** Read an entry of a list. Throws DerMalformed, also if it says what only entries of another kind of list may. */
export function readEntry(entry: DerElement, context: EntryContext): RevokedCertificate {
  const [serial, date, more, ...rest] = entry.tag === derTag.sequence ? readDer(entry.content) : []
  if (serial?.tag !== derTag.integer || !date || rest.length > 0)
    throw new DerMalformed('an entry without serial number or date')
  if (serial.content.length > longestSerial)
    throw new DerMalformed(`a serial number of ${serial.content.length} bytes; at most ${longestSerial} are read`)
  return { serialNumber: integerText(serial.content), ...(more ? readMore(more, context) : { reason: 'unspecified' }) }
}

/** The content of a DER integer as text that two integers share only if they are equal. */
export function integerText(content: Buffer): string {
  const unsigned = BigInt(`0x0${content.toString('hex')}`)
  const value = (content[0] ?? 0) < 0x80 ? unsigned : unsigned - (1n << BigInt(8 * content.length))
  return value.toString(16).toUpperCase()
}

function readMore(
  extensions: DerElement,
  { isDelta, isIndirect }: EntryContext,
): Pick<RevokedCertificate, 'reason' | 'issuer'> {
  let reason: string = 'unspecified'
  let issuer: Buffer | undefined
  for (const { oid, critical, value } of eachExtension(extensions.content)) {
    if (oid === reasonCode) {
      const [code] = readDer(value)
      if (code?.tag !== enumerated) throw new DerMalformed('an entry whose reason cannot be read')
      reason = reasons[code.content[0] ?? 0] ?? 'unspecified'
    } else if (oid === certificateIssuer) {
      if (!isIndirect) throw new DerMalformed('an entry names an issuer, as only indirect lists may')
      issuer = readDirectoryName(readDer(value)[0]?.content ?? value)
    } else if (critical && !harmless.includes(oid)) {
      throw new DerMalformed(`an entry has the critical extension ${oid}, which is not known here`)
    }
  }
  if (reason === 'removeFromCRL' && !isDelta)
    throw new DerMalformed('an entry says removeFromCRL, as only delta lists may')
  return { reason, ...(issuer && { issuer }) }
}
