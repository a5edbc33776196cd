/** What a client offered in the first record of a TLS handshake; whatever did not come is left out. [RFC 8446 §4.1.2] */
export interface ClientHello {
  /** As `TLS 1.2`, best first. */
  readonly versions: readonly string[]
  /** By their names in OpenSSL, or as `0xc013`. */
  readonly ciphers: readonly string[]
  /** Curves and other groups, such as `P-256`. */
  readonly groups: readonly string[]
  readonly serverName?: string
}

const handshakeRecord = 22
const clientHelloMessage = 1
const extension = { serverName: 0, groups: 10, versions: 43 } as const

/** Reads as much of a ClientHello as these bytes have; undefined if they begin none. Never throws. */
export function readClientHello(bytes: Buffer): ClientHello | undefined {
  if (bytes[0] !== handshakeRecord || bytes[1] !== 3 || bytes[5] !== clientHelloMessage) return undefined
  const message = new Reader(bytes.subarray(9))
  const legacyVersion = message.number(2)
  message.take(32) // the client's random
  message.take(message.number(1)) // its session
  const ciphers = codes(message.take(message.number(2))).filter(isOffer)
  message.take(message.number(1)) // compressions
  let groups: readonly number[] = []
  let versions: readonly number[] = []
  let serverName: string | undefined
  const extensions = new Reader(message.take(message.number(2)))
  while (!extensions.atEnd) {
    const type = extensions.number(2)
    const value = extensions.take(extensions.number(2))
    if (type === extension.groups) groups = codes(value.subarray(2)).filter(isOffer)
    if (type === extension.versions) versions = codes(value.subarray(1)).filter(isOffer)
    if (type === extension.serverName) serverName = value.toString('latin1', 5)
  }
  return {
    versions: (versions.length > 0 ? versions : [legacyVersion]).map((code) => versionNames[code] ?? hex(code)),
    ciphers: ciphers.map((code) => cipherNames[code] ?? hex(code)),
    groups: groups.map((code) => groupNames[code] ?? hex(code)),
    ...(serverName && { serverName }),
  }
}

/** Reads what there is: past the end everything is empty. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return taken
  }

  number(length: 1 | 2): number {
    const taken = this.take(length)
    return taken.length < length ? 0 : taken.readUIntBE(0, length)
  }
}

function codes(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length >> 1 }, (_, index) => bytes.readUInt16BE(2 * index))
}

/** Neither a signal (RFC 5746, RFC 7507) nor a value that only keeps servers tolerant (RFC 8701). */
function isOffer(code: number): boolean {
  return code !== 0x00ff && code !== 0x5600 && !((code & 0x0f0f) === 0x0a0a && code >> 8 === (code & 0xff))
}

function hex(code: number): string {
  return `0x${code.toString(16).padStart(4, '0')}`
}

type Names = Readonly<Record<number, string>>

const versionNames: Names = {
  0x0300: 'SSL 3',
  0x0301: 'TLS 1.0',
  0x0302: 'TLS 1.1',
  0x0303: 'TLS 1.2',
  0x0304: 'TLS 1.3',
}

/** Those that devices offer; IANA has hundreds. */
const cipherNames: Names = {
  0x0004: 'RC4-MD5',
  0x0005: 'RC4-SHA',
  0x000a: 'DES-CBC3-SHA',
  0x002f: 'AES128-SHA',
  0x0033: 'DHE-RSA-AES128-SHA',
  0x0035: 'AES256-SHA',
  0x0039: 'DHE-RSA-AES256-SHA',
  0x003c: 'AES128-SHA256',
  0x003d: 'AES256-SHA256',
  0x008c: 'PSK-AES128-CBC-SHA',
  0x008d: 'PSK-AES256-CBC-SHA',
  0x009c: 'AES128-GCM-SHA256',
  0x009d: 'AES256-GCM-SHA384',
  0x009e: 'DHE-RSA-AES128-GCM-SHA256',
  0x009f: 'DHE-RSA-AES256-GCM-SHA384',
  0x00a8: 'PSK-AES128-GCM-SHA256',
  0x00ae: 'PSK-AES128-CBC-SHA256',
  0x1301: 'TLS_AES_128_GCM_SHA256',
  0x1302: 'TLS_AES_256_GCM_SHA384',
  0x1303: 'TLS_CHACHA20_POLY1305_SHA256',
  0x1304: 'TLS_AES_128_CCM_SHA256',
  0x1305: 'TLS_AES_128_CCM_8_SHA256',
  0xc009: 'ECDHE-ECDSA-AES128-SHA',
  0xc00a: 'ECDHE-ECDSA-AES256-SHA',
  0xc013: 'ECDHE-RSA-AES128-SHA',
  0xc014: 'ECDHE-RSA-AES256-SHA',
  0xc023: 'ECDHE-ECDSA-AES128-SHA256',
  0xc024: 'ECDHE-ECDSA-AES256-SHA384',
  0xc027: 'ECDHE-RSA-AES128-SHA256',
  0xc028: 'ECDHE-RSA-AES256-SHA384',
  0xc02b: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  0xc02c: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  0xc02f: 'ECDHE-RSA-AES128-GCM-SHA256',
  0xc030: 'ECDHE-RSA-AES256-GCM-SHA384',
  0xc09c: 'AES128-CCM',
  0xc0a0: 'AES128-CCM8',
  0xc0ac: 'ECDHE-ECDSA-AES128-CCM',
  0xc0ae: 'ECDHE-ECDSA-AES128-CCM8',
  0xcca8: 'ECDHE-RSA-CHACHA20-POLY1305',
  0xcca9: 'ECDHE-ECDSA-CHACHA20-POLY1305',
}

const groupNames: Names = {
  0x0013: 'P-192',
  0x0015: 'P-224',
  0x0016: 'secp256k1',
  0x0017: 'P-256',
  0x0018: 'P-384',
  0x0019: 'P-521',
  0x001a: 'brainpoolP256r1',
  0x001b: 'brainpoolP384r1',
  0x001c: 'brainpoolP512r1',
  0x001d: 'X25519',
  0x001e: 'X448',
  0x0100: 'ffdhe2048',
  0x0101: 'ffdhe3072',
  0x11ec: 'X25519MLKEM768',
}
