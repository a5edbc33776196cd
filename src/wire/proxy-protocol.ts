import { isIP, type Socket } from 'node:net'

/** What a PROXY protocol header says, and how many bytes it takes. [HAProxy, The PROXY protocol, versions 1 and 2] */
export interface ProxyHeader {
  readonly length: number
  /** Where the connection came from; undefined if the proxy speaks for itself, as in health checks. */
  readonly source?: string
}

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const fixedPart = 16
/** With its line end. */
const longestText = 107
/** Of addresses and extensions; nobody sends more. */
const longestBinary = 2048

/** The header at the beginning of these bytes: `incomplete` if more are needed, `invalid` if it can be none. */
export function readProxyHeader(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  if (startsAlike(bytes, signature)) return bytes.length < fixedPart ? 'incomplete' : readBinary(bytes)
  if (startsAlike(bytes, Buffer.from('PROXY '))) return readText(bytes)
  return 'invalid'
}

/**
 * Take the header off a connection that begins with one, leaving the rest for whoever reads next; undefined, with the
 * connection destroyed, if there is none or it does not come in time.
 */
export function takeProxyHeader(socket: Socket, timeout: number): Promise<ProxyHeader | undefined> {
  return new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    const late = setTimeout(() => finish(undefined), timeout)
    const finish = (header: ProxyHeader | undefined): void => {
      clearTimeout(late)
      for (const [event, listener] of listeners) socket.off(event, listener)
      if (!header) socket.destroy()
      else if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
      resolve(header)
    }
    const read = (): void => {
      const more: unknown = socket.read()
      if (!Buffer.isBuffer(more)) return
      bytes = Buffer.concat([bytes, more])
      const header = readProxyHeader(bytes)
      if (header === 'incomplete') return
      finish(header === 'invalid' ? undefined : header)
    }
    const gone = (): void => finish(undefined)
    const listeners = [
      ['readable', read],
      ['end', gone],
      ['error', gone],
      ['close', gone],
    ] as const
    for (const [event, listener] of listeners) socket.on(event, listener)
  })
}

function startsAlike(bytes: Buffer, start: Buffer): boolean {
  const common = Math.min(bytes.length, start.length)
  return bytes.subarray(0, common).equals(start.subarray(0, common))
}

function readText(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  const end = bytes.subarray(0, longestText).indexOf('\r\n')
  if (end < 0) return bytes.length < longestText ? 'incomplete' : 'invalid'
  const [, protocol, source = '', destination = '', ...ports] = bytes.subarray(0, end).toString('latin1').split(' ')
  const length = end + 2
  if (protocol === 'UNKNOWN') return { length }
  const family = protocol === 'TCP4' ? 4 : protocol === 'TCP6' ? 6 : 0
  const good = family !== 0 && isIP(source) === family && isIP(destination) === family
  return good && ports.length === 2 && ports.every(isPort) ? { length, source } : 'invalid'
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
}

function readBinary(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' {
  const [versionAndCommand = 0, family = 0] = bytes.subarray(12, 14)
  const rest = bytes.readUInt16BE(14)
  const length = fixedPart + rest
  if (versionAndCommand >> 4 !== 2 || (versionAndCommand & 15) > 1 || rest > longestBinary) return 'invalid'
  if (bytes.length < length) return 'incomplete'
  if ((versionAndCommand & 15) === 0) return { length }
  switch (family >> 4) {
    case 1:
      return rest < 12 ? 'invalid' : { length, source: bytes.subarray(16, 20).join('.') }
    case 2:
      return rest < 36 ? 'invalid' : { length, source: ipv6(bytes.subarray(16, 32)) }
    default:
      return { length }
  }
}

/** In its canonical spelling; an IPv4 address in IPv6 clothes as IPv4. */
function ipv6(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16))
  const text = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
  const mapped = bytes.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex'))
  return mapped ? bytes.subarray(12).join('.') : text
}
