import { createServer, type Server, type Socket } from 'node:net'
import type { Server as TlsServer } from 'node:tls'
import { takeProxyHeader } from '../wire/proxy-protocol.ts'
import type { Admission, AdmittedConnection } from './admission/admission.ts'
import { plainAddress } from '../base/origin.ts'
import type { Guard } from './connection-guard.ts'
import type { Account, MemoryBudget } from '../base/memory.ts'

/** What stands before servers that speak TLS: every connection passes admission here, before TLS costs anything. */
export interface Front {
  /** A server to listen with. What may come in, it hands to this one, which never listens itself. */
  readonly before: (server: TlsServer) => Server
  /** The connection that a TLS socket stands on; undefined once it is closed. */
  readonly of: (socket: Ends) => Passed | undefined
  /** Destroy every connection. */
  readonly cut: () => void
}

export interface Passed {
  readonly connection: AdmittedConnection
  /** The client's address; by the PROXY protocol, where the peer is a load balancer that speaks it. */
  readonly remoteAddress: string
  /** Where what is held for it is counted. */
  readonly memory: Account
  /** What came first, of which a failed handshake is told by: a few hundred bytes. */
  readonly first: Buffer
}

type Ends = Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>

const headerTimeout = 10_000

/**
 * @param budget what connections may hold in memory
 * @param guard what a connection breaks before TLS, it breaks alone
 * @param isProxy load balancers that begin each connection with the PROXY protocol; absent: there are none
 */
export function frontOf(
  admission: Admission,
  budget: MemoryBudget,
  guard: Guard,
  isProxy: (address: string) => boolean = () => false,
): Front {
  const sockets = new Set<Socket>()
  const passed = new Map<string, Passed>()

  function accepted(socket: Socket, server: TlsServer): void {
    socket.on('error', () => socket.destroy())
    const peerAddress = plainAddress(socket.remoteAddress ?? '')
    const connection = admission.accept(socket, peerAddress)
    if (!connection) return
    const name = nameOf(socket)
    const memory = budget.open(() => socket.destroy())
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      passed.delete(name)
      connection.closed()
      memory.close()
    })
    const pass = (remoteAddress: string, preface: number) => {
      if (!connection.comesFrom(remoteAddress, preface)) return
      whenItSpeaks(socket, (first) => {
        passed.set(name, { connection, remoteAddress, memory, first })
        server.emit('connection', socket)
      })
    }
    // A listed peer must send a header, any other must not: what it claims would be believed.
    if (!isProxy(peerAddress)) return pass(peerAddress, 0)
    // Never rejects: a connection without a header is over.
    void takeProxyHeader(socket, headerTimeout).then((header) =>
      guard(socket, () => header && pass(header.source ?? peerAddress, header.length)),
    )
  }

  return {
    before: (server) => {
      const front = createServer({ noDelay: true }, (socket) => guard(socket, () => accepted(socket, server)))
      // Only at this word a server begins to look after requests that do not come to their end.
      front.once('listening', () => server.emit('listening'))
      return front
    },
    of: (socket) => passed.get(nameOf(socket)),
    cut: () => sockets.forEach((socket) => socket.destroy()),
  }
}

/** Bytes of what came first that are kept: a ClientHello with room for post-quantum keys. */
const mostKept = 2048

/** Look at what comes first, and leave it for whoever reads next. Whoever never says a word costs no TLS. */
function whenItSpeaks(socket: Socket, then: (first: Buffer) => void): void {
  const read = (): void => {
    const chunk: unknown = socket.read()
    if (!Buffer.isBuffer(chunk)) return
    socket.off('readable', read)
    socket.unshift(chunk)
    then(Buffer.from(chunk.subarray(0, mostKept)))
  }
  socket.on('readable', read)
}

/** The four numbers that no two live connections share; the TLS socket has them from the one below it. */
function nameOf({ remoteAddress, remotePort, localAddress, localPort }: Ends): string {
  return [remoteAddress, remotePort, localAddress, localPort].join('|')
}
