/** One element of DER: its tag and its content. */
export interface DerElement {
  readonly tag: number
  readonly content: Buffer
}

/** Not DER, or not the DER that was expected. */
export class DerMalformed extends Error {
  override readonly name = 'DerMalformed'
}

export const derTag = { integer: 0x02, oid: 0x06, sequence: 0x30, version: 0xa0 } as const

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

/** The dotted form of an object identifier's content. */
export function readOid(content: Buffer): string {
  const arcs: number[] = []
  let arc = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (byte & 0x80) continue
    if (arcs.length === 0) arcs.push(Math.min(Math.floor(arc / 40), 2), arc - 40 * Math.min(Math.floor(arc / 40), 2))
    else arcs.push(arc)
    arc = 0
  }
  return arcs.join('.')
}

function readLength(bytes: Buffer, at: number): [length: number, start: number] {
  const first = bytes[at]
  if (first === undefined) throw new DerMalformed('an element without a length')
  if (first < 0x80) return [first, at + 1]
  const size = first & 0x7f
  if (size === 0 || size > 4 || at + 1 + size > bytes.length) throw new DerMalformed('a length that DER does not have')
  return [bytes.readUIntBE(at + 1, size), at + 1 + size]
}
