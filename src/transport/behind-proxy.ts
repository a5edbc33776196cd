import { createServer, type Server, type Socket } from 'node:net'
import { takeProxyHeader } from '../wire/proxy-protocol.ts'

/** Where connections that came through a proxy came from, while they last. */
export interface Sources {
  /** The address that the proxy gave for the connection; undefined if none did. */
  readonly of: (socket: Ends) => string | undefined
}

type Ends = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>

const headerTimeout = 10_000

/** Fronts for servers whose clients may come through a load balancer that speaks the PROXY protocol. */
export function behindProxy(isProxy: (address: string) => boolean): Sources & { front: (server: Server) => Server } {
  const sources = new Map<string, string>()
  return {
    of: (socket) => sources.get(nameOf(socket)),
    // A listed peer must send a header, any other must not: what it claims would be believed.
    front: (server) =>
      createServer({ noDelay: true }, (socket) => {
        socket.on('error', () => socket.destroy())
        if (!isProxy(socket.remoteAddress ?? '')) {
          server.emit('connection', socket)
          return
        }
        const name = nameOf(socket)
        takeProxyHeader(socket, headerTimeout).then(
          (header) => {
            if (!header) return
            if (header.source !== undefined) {
              sources.set(name, header.source)
              socket.on('close', () => sources.delete(name))
            }
            server.emit('connection', socket)
          },
          () => socket.destroy(),
        )
      }),
  }
}

/** The four numbers that no two live connections share; the TLS socket has them from the one below it. */
function nameOf({ remoteAddress, remotePort, localAddress, localPort }: Ends): string {
  return [remoteAddress, remotePort, localAddress, localPort].join('|')
}
