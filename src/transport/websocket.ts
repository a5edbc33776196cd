import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Peer } from '../wire/peer.ts'

/** Takes over a WebSocket that speaks one subprotocol. */
export type Subprotocol = (socket: WebSocket, peer: Peer) => void

export interface WebSockets {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer, peer: Peer) => void
}

/**
 * WebSockets by subprotocol, on any path: SDKs use `/`, `/mqtt` and `/$iothub/websocket`. The name is compared without
 * regard to case and echoed as the client spelled it; no extension is taken up. [device-wire §3.7, §4.9]
 *
 * @param largestMessage bytes
 * @param subprotocols by their names in lower case
 */
export function webSockets(largestMessage: number, subprotocols: ReadonlyMap<string, Subprotocol>): WebSockets {
  const named = (name: string) => subprotocols.get(name.trim().toLowerCase())
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    maxPayload: largestMessage,
    handleProtocols: (offered) => [...offered].find(named) ?? false,
  })
  return {
    upgrade: (request, socket, head, peer) => {
      const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(',')
      if (!offered.some(named)) {
        socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
        return
      }
      server.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => webSocket.terminate()) // broken frames; the connection is over
        // MQTT and AMQP travel in binary frames only. [MQTT-6.0.0-1]
        webSocket.on('message', (_, isBinary) => isBinary || webSocket.terminate())
        named(webSocket.protocol)?.(webSocket, peer)
      })
    },
  }
}
