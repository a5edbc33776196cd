import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https'
import { codeOf } from '../base/error-code.ts'
import type { Server, Socket } from 'node:net'
import { createServer as createTlsServer, Server as TlsServer, type TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'
import { bytesOf } from '../wire/x509/known-certificates.ts'
import { AmqpConnection } from '../wire/amqp/connection.ts'
import type { AmqpLimits, AmqpService } from '../wire/amqp/service.ts'
import { plainAddress } from '../base/origin.ts'
import type { HttpApi } from '../wire/http.ts'
import type { MemoryBudget } from '../base/memory.ts'
import { MqttConnection, type MqttLimits, type MqttService } from '../wire/mqtt/connection.ts'
import type { Peer } from '../base/peer.ts'
import type { Admission } from './admission/admission.ts'
import { streamOfSocket, streamOfWebSocket, type ByteStream } from '../base/byte-stream.ts'
import { frontOf, type Passed } from './front.ts'
import type { Protocol as PortProtocol } from '../model/decision.ts'
import { endMalformed } from './unread/malformed-http.ts'
import type { Unread } from './unread/unread.ts'
import { wordless } from './unread/wordless.ts'
import { tlsOptions, type ServerProof } from './device-tls.ts'
import { guardOf } from './connection-guard.ts'
import { httpServing } from './serve-http.ts'
import { webSockets, type Subprotocol } from './websocket.ts'

/** What is served, and where. `Identity` is what the AMQP service knows its clients by. */
export interface Listening<Identity = unknown> extends ServerProof {
  readonly addresses: readonly string[]
  readonly ports: { readonly https: Port; readonly mqtt: Port; readonly amqp: Port }
  /** The first that owns a path answers; the last owns whatever is left. */
  readonly http: readonly HttpApi[]
  /** Asked in turn for each CONNECT. */
  readonly mqtt: readonly MqttService[]
  readonly mqttLimits: MqttLimits
  readonly amqp: AmqpService<Identity>
  readonly amqpLimits: AmqpLimits
  /** Which connections are taken, and how long those are kept on which nobody proves who they are. */
  readonly admission: Admission
  /** What all connections together may hold in memory. */
  readonly memory: MemoryBudget
  /** Load balancers that say by the PROXY protocol where a connection came from; absent: there are none. */
  readonly isProxy?: ((address: string) => boolean) | undefined
  /** Hears of whoever leaves, or is let go, before a request could be read. */
  readonly unread: Unread
  readonly onFault: (fault: unknown) => void
}

/** The port that clients expect, and the one to go on with where it cannot be had. */
export interface Port {
  readonly wanted: number
  readonly otherwise: number
}

/** Where it was possible to listen. */
export interface Listener extends AsyncDisposable {
  /** Serve new connections with another certificate. */
  readonly renew: (certificate: ServerProof) => void
  readonly ports: { readonly https: BoundPort; readonly mqtt: BoundPort; readonly amqp: BoundPort }
}

export interface BoundPort {
  readonly port: number
  /** Why the wanted port could not be had, such as EACCES. */
  readonly refused?: string
  /** The addresses that this machine does not have. */
  readonly absent: readonly string[]
}

interface Opened {
  readonly servers: readonly Server[]
  readonly bound: BoundPort
}

/** What is spoken on a stream. */
type Protocol = (stream: ByteStream, peer: Peer) => { receive(chunk: Buffer): void; streamClosed(): void }

/** Milliseconds for the headers of a request, for all of it, and between two looks at how long they take. */
const headersTimeout = 20_000
const requestTimeout = 90_000
const connectionsCheckingInterval = 5_000
/** What a request under way is given when the service stops, and after what time nothing is waited for any more. */
const finishTimeout = 1_000
const drainTimeout = 5_000

/**
 * Open the device ports: HTTPS with WebSockets, MQTT and AMQP. One TLS context asks every client for a certificate and requires
 * none; who a device is, is decided after the handshake, in its own protocol's words. [device-wire §1.1, §7.1]
 */
export async function openListener<Identity>(listening: Listening<Identity>): Promise<Listener> {
  const tls = tlsOptions(listening)
  const { unread } = listening
  const peers = new WeakMap<Duplex, Peer>()
  const connections = new Set<Duplex>()
  const guard = guardOf(listening.onFault)
  const front = frontOf(listening.admission, listening.memory, guard, listening.isProxy)
  const handshakes = wordless()
  const silent = wordless()
  const secured = (socket: TLSSocket, protocol: PortProtocol) => {
    socket.on('error', () => socket.destroy()) // a client that vanishes is no fault of ours
    const passed = front.of(socket)
    if (!passed) return socket.destroy()
    passed.connection.secured()
    handshakes.heard(passed)
    const peer = peerOf(socket, passed)
    peers.set(socket, peer)
    silent.came(socket, socket, () => unread.silent(protocol, peer))
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
  }
  const peerBehind = (socket: Duplex) => peers.get(socket) ?? { remoteAddress: '', certificateChain: [] }

  const serveMqtt: Protocol = (stream, peer) =>
    new MqttConnection(stream, peer, listening.mqtt, listening.mqttLimits, listening.onFault, (breach) =>
      unread.broken(breach, 'Mqtt', peer),
    )
  const serveAmqp: Protocol = (stream, peer) =>
    new AmqpConnection(stream, peer, listening.amqp, listening.amqpLimits, listening.onFault, (breach) =>
      unread.broken(breach, 'Amqp', peer),
    )

  const overWebSocket =
    (serve: Protocol): Subprotocol =>
    (socket, peer) => {
      const stream = streamOfWebSocket(socket, peer.memory)
      const connection = serve(stream, peer)
      socket.on('message', (data: Buffer, isBinary) => guard(stream, () => isBinary && connection.receive(data)))
      socket.on('close', () => guard(stream, () => connection.streamClosed()))
    }
  const largestMessage = Math.max(listening.mqttLimits.packetBytes, listening.amqpLimits.frameBytes)
  const sockets = webSockets(
    largestMessage,
    new Map([
      ['mqtt', overWebSocket(serveMqtt)],
      ['amqpwsb10', overWebSocket(serveAmqp)],
    ]),
    unread.webSocket,
  )

  const serveHttp = httpServing(listening.http, listening.onFault)
  const openHttps = () => {
    const server = createHttpsServer({ ...tls, ...httpOptions }, (incoming, outgoing) =>
      guard(incoming.socket, () => {
        silent.heard(incoming.socket)
        serveHttp(incoming, outgoing, peerBehind(incoming.socket))
      }),
    )
    server.on('secureConnection', (socket) => guard(socket, () => secured(socket, 'Http')))
    server.on('clientError', (error, socket) =>
      guard(socket, () => {
        if (endMalformed(error, socket, peers.get(socket), unread)) silent.heard(socket)
      }),
    )
    server.on('upgrade', (request, socket, head) =>
      guard(socket, () => {
        silent.heard(socket)
        sockets.upgrade(request, socket, head, peerBehind(socket))
      }),
    )
    return server
  }
  const openTls = (protocol: PortProtocol, serve: Protocol) => () =>
    createTlsServer(tls, (socket) =>
      guard(socket, () => {
        secured(socket, protocol)
        const connection = serve(streamOfSocket(socket, peerBehind(socket).memory), peerBehind(socket))
        socket.once('data', () => silent.heard(socket))
        socket.on('data', (chunk: Buffer) => guard(socket, () => connection.receive(chunk)))
        socket.on('close', () => guard(socket, () => connection.streamClosed()))
      }),
    )

  const speaking: (HttpsServer | TlsServer)[] = []
  const opening = (protocol: PortProtocol, open: () => HttpsServer | TlsServer) => (): Server => {
    const server = open()
    // Node leaves the socket of a handshake that failed, or never began, to whoever listens here.
    server.on('tlsClientError', (error, socket) => {
      const passed = front.of(socket)
      // Whoever only leaves has cost nothing yet.
      if (codeOf(error)?.startsWith('ERR_SSL')) passed?.connection.failed()
      if (passed) {
        handshakes.heard(passed)
        unread.handshake(error, protocol, passed.remoteAddress, passed.first)
      }
      socket.destroy()
    })
    // Of a client that is gone the error above does not say who it was.
    server.on('connection', (socket: Socket) => {
      const passed = front.of(socket)
      if (!passed) return
      const { remoteAddress, first } = passed
      handshakes.came(passed, socket, () => unread.handshake(undefined, protocol, remoteAddress, first))
    })
    speaking.push(server)
    return front.before(server)
  }

  const https = await listenEverywhere(opening('Http', openHttps), listening.ports.https, listening.addresses)
  const mqtt = await listenEverywhere(
    opening('Mqtt', openTls('Mqtt', serveMqtt)),
    listening.ports.mqtt,
    listening.addresses,
  )
  const amqp = await listenEverywhere(
    opening('Amqp', openTls('Amqp', serveAmqp)),
    listening.ports.amqp,
    listening.addresses,
  )
  const servers = new Set<Server>([...https.servers, ...mqtt.servers, ...amqp.servers, ...speaking])

  return {
    ports: { https: https.bound, mqtt: mqtt.bound, amqp: amqp.bound },
    renew: (certificate) => {
      for (const server of servers) if (server instanceof TlsServer) server.setSecureContext(tlsOptions(certificate))
    },
    [Symbol.asyncDispose]: () => drain([...servers], connections, front.cut),
  }
}

const httpOptions = { maxHeaderSize: 32 * 1024, headersTimeout, requestTimeout, connectionsCheckingInterval }

/** Read once, when the handshake is done: the call consumes the peer's chain. [client-findings, TLS] */
function peerOf(socket: TLSSocket, { remoteAddress, connection, memory }: Passed): Peer {
  const leaf = socket.getPeerX509Certificate()
  const certificateChain = leaf ? [bytesOf(leaf)] : []
  for (let at = leaf?.issuerCertificate; at; at = at.issuerCertificate) certificateChain.push(at.raw)
  // Typed for the client's side only, where it is what was asked for.
  const serverName = String(Reflect.get(socket, 'servername') || plainAddress(socket.localAddress ?? ''))
  return { remoteAddress, serverName, certificateChain, standing: connection, memory }
}

/** Listen on every address at the wanted port; if that is refused on one of them, at the other port on all. */
async function listenEverywhere(open: () => Server, port: Port, addresses: readonly string[]): Promise<Opened> {
  try {
    return await listenAt(open, port.wanted, addresses)
  } catch (error) {
    const refused = codeOf(error)
    if (port.otherwise === port.wanted || (refused !== 'EACCES' && refused !== 'EADDRINUSE')) throw error
    const opened = await listenAt(open, port.otherwise, addresses)
    return { ...opened, bound: { ...opened.bound, refused } }
  }
}

/** Addresses that this machine does not have are left out, unless it has none of them. */
async function listenAt(open: () => Server, port: number, addresses: readonly string[]): Promise<Opened> {
  const servers: Server[] = []
  const absent: string[] = []
  for (const address of addresses) {
    const server = open()
    try {
      // Port 0 is any; what the first address got, the others take too.
      await listen(server, servers.length > 0 ? portOf(servers) : port, address)
      servers.push(server)
    } catch (error) {
      const missing = codeOf(error) === 'EADDRNOTAVAIL' || codeOf(error) === 'EAFNOSUPPORT'
      if (missing && absent.push(address) < addresses.length) continue
      for (const opened of servers) opened.close()
      throw error
    }
  }
  return { servers, bound: { port: portOf(servers), absent } }
}

function listen(server: Server, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function portOf([first]: readonly Server[]): number {
  const address = first?.address()
  if (typeof address !== 'object' || !address) throw new Error('the server is not listening')
  return address.port
}

/** Take nothing new, let what is under way finish, then end what is still connected, and cut what does not end. */
async function drain(servers: readonly Server[], connections: ReadonlySet<Duplex>, cutAll: () => void): Promise<void> {
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
  for (const server of servers) if (server instanceof HttpsServer) server.closeIdleConnections()
  // Ended, not cut: the Node SDK does not come back after a reset.
  const end = setTimeout(() => connections.forEach((socket) => socket.end()), finishTimeout)
  const cut = setTimeout(cutAll, drainTimeout)
  await Promise.all(closed)
  clearTimeout(end)
  clearTimeout(cut)
}
