import type { Duplex } from 'node:stream'
import { codeOf } from '../../base/error-code.ts'
import type { Peer } from '../../base/peer.ts'
import type { Unread } from './unread.ts'

/** Answer what is no HTTP as Node would, and tell of it; false if the connection only broke. */
export function endMalformed(error: Error, socket: Duplex, peer: Peer | undefined, { http }: Unread): boolean {
  const code = codeOf(error) ?? ''
  const late = code === 'ERR_HTTP_REQUEST_TIMEOUT'
  if (!peer || !socket.writable || !(late || code.startsWith('HPE_'))) {
    socket.destroy()
    return false
  }
  http(error, peer)
  const status = late
    ? '408 Request Timeout'
    : code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
  return true
}
