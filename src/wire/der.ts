/** One element of DER: its tag and its content. */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
}

/** Not DER, or not the DER that was expected. */
export class DerMalformed extends Error {
  override readonly name = 'DerMalformed'
}

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  version: 0xa0,
} as const

/** The elements that follow each other in these bytes; throws DerMalformed. Never reads further than the bytes go. */
export function readDer(bytes: Buffer): DerElement[] {
  return [...eachDer(bytes)]
}

/** The same elements one at a time, for lists that are too long to hold as objects. */
export function* eachDer(bytes: Buffer): Generator<DerElement, void> {
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at]!
    const [length, start] = readLength(bytes, at + 1)
    if ((tag & 0x1f) === 0x1f || start + length > bytes.length) throw new DerMalformed('an element exceeds its bytes')
    yield { tag, content: bytes.subarray(start, start + length) }
    at = start + length
  }
}

/** The content of an element of this tag; throws DerMalformed with the name of what is missing. */
export function contentOf(element: DerElement | undefined, tag: number, name: string): Buffer {
  if (element?.tag !== tag) throw new DerMalformed(`${name} is missing or of another type`)
  return element.content
}

/** The elements inside the one SEQUENCE that these bytes are. Throws DerMalformed. */
export function readSequence(bytes: Buffer, name: string): DerElement[] {
  const [sequence, ...more] = readDer(bytes)
  if (more.length > 0) throw new DerMalformed(`${name} is followed by more`)
  return readDer(contentOf(sequence, derTag.sequence, name))
}

/** The dotted form of an object identifier's content. Throws DerMalformed where two contents would read the same. */
export function readOid(content: Buffer): string {
  const arcs: number[] = []
  let arc = 0
  let begun = false
  for (const byte of content) {
    if (!begun && byte === 0x80) throw new DerMalformed('an object identifier with leading zeros')
    begun = true
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerMalformed('an object identifier with an arc beyond 2^53')
    if (byte & 0x80) continue
    if (arcs.length === 0) arcs.push(Math.min(Math.floor(arc / 40), 2), arc - 40 * Math.min(Math.floor(arc / 40), 2))
    else arcs.push(arc)
    arc = 0
    begun = false
  }
  if (begun || arcs.length === 0) throw new DerMalformed('an object identifier that ends too early')
  return arcs.join('.')
}

/** Milliseconds of a UTCTime or GeneralizedTime as certificates and lists have them. Throws DerMalformed. [RFC 5280 §4.1.2.5] */
export function readTime(element: DerElement | undefined): number {
  const text = element?.content.toString('latin1') ?? ''
  const century = Number(text.slice(0, 2)) < 50 ? '20' : '19'
  const digits = element?.tag === derTag.utcTime ? century + text : element?.tag === derTag.generalizedTime ? text : ''
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits) ?? []
  const [year, month, day, hour, minute, second] = parts.map(Number)
  if (second === undefined || month! < 1 || month! > 12 || day! < 1 || day! > 31 || hour! > 23 || minute! > 59)
    throw new DerMalformed('a date that cannot be read')
  return new Date(0).setUTCFullYear(year!, month! - 1, day) + ((hour! * 60 + minute!) * 60 + second) * 1000
}

function readLength(bytes: Buffer, at: number): [length: number, start: number] {
  const first = bytes[at]
  if (first === undefined) throw new DerMalformed('an element without a length')
  if (first < 0x80) return [first, at + 1]
  const size = first & 0x7f
  if (size === 0 || size > 4 || at + 1 + size > bytes.length) throw new DerMalformed('a length that DER does not have')
  return [bytes.readUIntBE(at + 1, size), at + 1 + size]
}
