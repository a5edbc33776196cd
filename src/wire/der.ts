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
  // Not by way of the generator: this is on the path of every registration with a certificate.
  const elements: DerElement[] = []
  for (let at = 0; at < bytes.length;) {
    const [element, end] = elementAt(bytes, at)
    elements.push(element)
    at = end
  }
  return elements
}

/** The same elements one at a time, for lists that are too long to hold as objects. */
export function* eachDer(bytes: Buffer): Generator<DerElement, void> {
  for (let at = 0; at < bytes.length;) {
    const [element, end] = elementAt(bytes, at)
    yield element
    at = end
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
  let dotted = ''
  let arc = 0
  let begun = false
  for (const byte of content) {
    if (!begun && byte === 0x80) throw new DerMalformed('an object identifier with leading zeros')
    begun = true
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerMalformed('an object identifier with an arc beyond 2^53')
    if (byte & 0x80) continue
    // The first two arcs share one number.
    const first = Math.min(Math.floor(arc / 40), 2)
    dotted = dotted === '' ? `${first}.${arc - 40 * first}` : `${dotted}.${arc}`
    arc = 0
    begun = false
  }
  if (begun || dotted === '') throw new DerMalformed('an object identifier that ends too early')
  return dotted
}

/** Milliseconds of a UTCTime or GeneralizedTime as certificates and lists have them. Throws DerMalformed. [RFC 5280 §4.1.2.5] */
export function readTime(element: DerElement | undefined): number {
  const { tag, content } = element ?? { tag: 0, content: Buffer.alloc(0) }
  const yearDigits = tag === derTag.utcTime ? 2 : tag === derTag.generalizedTime ? 4 : NaN
  if (content.length !== yearDigits + 11 || content.at(-1) !== 0x5a)
    throw new DerMalformed('a date that cannot be read')
  const two = (at: number) => digit(content[at]!) * 10 + digit(content[at + 1]!)
  const [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map((at) => two(yearDigits + at))
  const year = yearDigits === 4 ? two(0) * 100 + two(2) : two(0) + (two(0) < 50 ? 2000 : 1900)
  if (month! < 1 || month! > 12 || day! < 1 || day! > 31 || hour! > 23 || minute! > 59 || second! > 59 || year < 100)
    throw new DerMalformed('a date that does not exist')
  return Date.UTC(year, month! - 1, day, hour, minute, second)
}

function digit(byte: number): number {
  if (byte < 0x30 || byte > 0x39) throw new DerMalformed('a date that cannot be read')
  return byte - 0x30
}

function elementAt(bytes: Buffer, at: number): [element: DerElement, end: number] {
  const tag = bytes[at]!
  const [length, start] = readLength(bytes, at + 1)
  const end = start + length
  if ((tag & 0x1f) === 0x1f || end > bytes.length) throw new DerMalformed('an element exceeds its bytes')
  return [{ tag, content: bytes.subarray(start, end) }, end]
}

function readLength(bytes: Buffer, at: number): [length: number, start: number] {
  const first = bytes[at]
  if (first === undefined) throw new DerMalformed('an element without a length')
  if (first < 0x80) return [first, at + 1]
  const size = first & 0x7f
  if (size === 0 || size > 4 || at + 1 + size > bytes.length) throw new DerMalformed('a length that DER does not have')
  return [bytes.readUIntBE(at + 1, size), at + 1 + size]
}
