/** What a device opens the SASL mechanism `TPM` with. */
export interface TpmOpening {
  readonly idScope: string
  readonly registrationId: string
  /** TPM2B_PUBLIC, not yet looked at. */
  readonly endorsementKey: Buffer
}

/** Puts a challenge and gives the response to it. */
type Challenge = (bytes: Buffer) => Promise<Buffer>

const acknowledgement = Buffer.from([0])
const firstSegment = 0x80
/** Present, final, sequence number 1: Java compares these bytes literally, so there are always two segments. [device-wire §5.3] */
const lastSegment = 0xc1
/** A segment's share of a SASL frame of 512 bytes. [device-wire §5.3] */
const longestSegment = 486

/**
 * Read the initial response `00 ‖ idScope ‖ 00 ‖ registrationId ‖ 00 ‖ EK`. The key itself contains zero bytes. Undefined if it is
 * not of that form: also the C client's segmented form, which no legal ID needs. [device-wire §5.3]
 */
export function readTpmOpening(response: Buffer): TpmOpening | undefined {
  const scopeEnd = response.indexOf(0, 1)
  const idEnd = scopeEnd < 0 ? -1 : response.indexOf(0, scopeEnd + 1)
  if (response[0] !== 0 || idEnd < 0) return undefined
  return {
    idScope: response.toString('utf8', 1, scopeEnd),
    registrationId: response.toString('utf8', scopeEnd + 1, idEnd),
    endorsementKey: response.subarray(idEnd + 1),
  }
}

/** Ask for the storage root key: TPM2B_PUBLIC, not yet looked at; undefined if the answer is malformed. */
export async function askStorageRootKey(challenge: Challenge): Promise<Buffer | undefined> {
  return content(await challenge(acknowledgement))
}

/**
 * Hand over the wrapped nonce key in exactly two segments and give the token that the device signs with it; undefined if a
 * response is malformed, or if two SASL frames cannot carry the blob: then nothing is sent, and the device keeps what it has.
 * [device-wire §5.3]
 */
export async function askToken(blob: Buffer, challenge: Challenge): Promise<string | undefined> {
  const middle = Math.ceil(blob.length / 2)
  if (middle + 1 > longestSegment) return undefined
  const between = await challenge(Buffer.concat([Buffer.from([firstSegment]), blob.subarray(0, middle)]))
  if (!content(between)) return undefined
  const last = await challenge(Buffer.concat([Buffer.from([lastSegment]), blob.subarray(middle)]))
  return content(last)?.toString('utf8')
}

/** The client's responses begin with a zero byte. */
function content(response: Buffer): Buffer | undefined {
  return response[0] === 0 ? response.subarray(1) : undefined
}
