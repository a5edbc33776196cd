import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import { perUnit } from '../base/memory.ts'
import type { Peer } from '../base/peer.ts'
import { quoted } from '../base/printable.ts'

/** Takes over a WebSocket that speaks one subprotocol. */
export type Subprotocol = (socket: WebSocket, peer: Peer) => void

export interface WebSockets {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, peer: Peer) => void
}

/** Of one message, and chunks of the stream that may wait for the rest of a frame: devices may have small buffers. */
const maxFragments = 256
const maxBufferedChunks = 1024
/** Bytes. Whoever pings and pings and never reads is cut here. */
const mostUnsent = 64 << 10
/** Milliseconds that a client that was refused has to read why. */
const lingering = 2_000

/**
 * WebSockets by subprotocol, on any path: SDKs use `/`, `/mqtt` and `/$iothub/websocket`. The name is compared without
 * regard to case and echoed as the client spelled it; no extension is taken up. [device-wire §3.7, §4.9]
 *
 * @param largestMessage bytes
 * @param subprotocols by their names in lower case
 * @param refused hears of each client that spoke otherwise, once
 */
export function webSockets(
  largestMessage: number,
  subprotocols: ReadonlyMap<string, Subprotocol>,
  refused: (found: string, peer: Peer) => void,
): WebSockets {
  const named = (name: string) => subprotocols.get(name.trim().toLowerCase())
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: largestMessage,
    maxFragments,
    maxBufferedChunks,
    autoPong: false,
    handleProtocols: (offered) => [...offered].find(named) ?? false,
  })
  const peers = new WeakMap<Duplex, Peer>()
  // What else an upgrade may lack, such as a key.
  server.on('wsClientError', ({ message }, socket) => {
    const peer = peers.get(socket)
    if (peer) refused(`the WebSocket cannot be opened: ${quoted(message)}`, peer)
    refuse(socket)
  })
  return {
    upgrade: (request, socket, head, peer) => {
      const offered = String(request.headers['sec-websocket-protocol'] ?? '')
      if (!offered.split(',').some(named)) {
        const expected = `expected one of the subprotocols ${[...subprotocols.keys()].join(', ')}`
        refused(`${expected}, found ${offered === '' ? 'none' : quoted(offered)}`, peer)
        return refuse(socket)
      }
      peers.set(socket, peer)
      server.handleUpgrade(request, socket, head, (webSocket) => {
        const end = (found: string) => {
          if (webSocket.readyState === WebSocket.OPEN) refused(found, peer)
          webSocket.terminate()
        }
        webSocket.on('error', ({ message }) => end(`the frames of the WebSocket are broken: ${quoted(message)}`))
        // MQTT and AMQP travel in binary frames only. [MQTT-6.0.0-1]
        webSocket.on('message', (_, isBinary) => isBinary || end('expected binary frames, found a text frame'))
        webSocket.on('ping', (data) => pong(webSocket, data))
        countHeld(webSocket, socket, largestMessage, peer)
        named(webSocket.protocol)?.(webSocket, peer)
      })
    },
  }
}

/** Answers, and lets the connection go. Nobody else reads it any more, and unread it would not see its client leave. */
function refuse(socket: Duplex): void {
  socket.resume()
  socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  // What is still on its way is read until then: a reset would take the answer from the client.
  setTimeout(() => socket.destroy(), lingering).unref()
}

function pong(webSocket: WebSocket, data: Buffer): void {
  if (webSocket.bufferedAmount > mostUnsent) return webSocket.terminate()
  webSocket.pong(data)
}

/** Count the chunks of the stream that wait for the rest of a message, at most what the bounds above let wait. */
function countHeld(webSocket: WebSocket, socket: Duplex, largestMessage: number, { memory }: Peer): void {
  if (!memory) return
  const most = largestMessage + maxBufferedChunks * perUnit
  let held = 0
  const count = (bytes: number) => {
    if (bytes !== held) memory.count(bytes - held)
    held = bytes
  }
  // Before it is read: what it completes is not held any more.
  socket.prependListener('data', (chunk: Buffer) => count(Math.min(held + chunk.length + perUnit, most)))
  webSocket.on('message', () => count(0))
}
