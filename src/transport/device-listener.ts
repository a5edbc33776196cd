import { constants } from 'node:crypto'
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https'
import type { Server } from 'node:net'
import {
  DEFAULT_CIPHERS,
  createServer as createTlsServer,
  Server as TlsServer,
  type TlsOptions,
  type TLSSocket,
} from 'node:tls'
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
import { guardOf } from './connection-guard.ts'
import { httpServing } from './serve-http.ts'
import { webSockets, type Subprotocol } from './websocket.ts'

/** What is served, and where. `Identity` is what the AMQP service knows its clients by. */
export interface Listening<Identity = unknown> {
  /** PEM. */
  readonly key: string
  /** PEM: the server's certificate and its issuers, without the root. */
  readonly certificate: string
  /** The same with a key of another kind: a client's offer decides which it is served with. */
  readonly rsa?: { readonly certificate: string; readonly key: string } | undefined
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
  readonly renew: (certificate: Pick<Listening, 'key' | 'certificate' | 'rsa'>) => void
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
  const peers = new WeakMap<Duplex, Peer>()
  const connections = new Set<Duplex>()
  const guard = guardOf(listening.onFault)
  const front = frontOf(listening.admission, listening.memory, guard, listening.isProxy)
  const secured = (socket: TLSSocket) => {
    socket.on('error', () => socket.destroy()) // a client that vanishes is no fault of ours
    const passed = front.of(socket)
    if (!passed) return socket.destroy()
    passed.connection.secured()
    peers.set(socket, peerOf(socket, passed))
    connections.add(socket)
    socket.on('close', () => connections.delete(socket))
  }
  const peerBehind = (socket: Duplex) => peers.get(socket) ?? { remoteAddress: '', certificateChain: [] }

  const serveMqtt: Protocol = (stream, peer) =>
    new MqttConnection(stream, peer, listening.mqtt, listening.mqttLimits, listening.onFault)
  const serveAmqp: Protocol = (stream, peer) =>
    new AmqpConnection(stream, peer, listening.amqp, listening.amqpLimits, listening.onFault)

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
  )

  const serveHttp = httpServing(listening.http, listening.onFault)
  const openHttps = () => {
    const server = createHttpsServer({ ...tls, ...httpOptions }, (incoming, outgoing) =>
      guard(incoming.socket, () => serveHttp(incoming, outgoing, peerBehind(incoming.socket))),
    )
    server.on('secureConnection', (socket) => guard(socket, () => secured(socket)))
    server.on('upgrade', (request, socket, head) =>
      guard(socket, () => sockets.upgrade(request, socket, head, peerBehind(socket))),
    )
    return server
  }
  const openTls = (serve: Protocol) => () =>
    createTlsServer(tls, (socket) =>
      guard(socket, () => {
        secured(socket)
        const connection = serve(streamOfSocket(socket, peerBehind(socket).memory), peerBehind(socket))
        socket.on('data', (chunk: Buffer) => guard(socket, () => connection.receive(chunk)))
        socket.on('close', () => guard(socket, () => connection.streamClosed()))
      }),
    )

  const speaking: (HttpsServer | TlsServer)[] = []
  const opening = (open: () => HttpsServer | TlsServer) => (): Server => {
    const server = open()
    // Node leaves the socket of a handshake that failed, or never began, to whoever listens here.
    server.on('tlsClientError', (error, socket) => {
      // Whoever only leaves has cost nothing yet.
      if (codeOf(error)?.startsWith('ERR_SSL')) front.of(socket)?.connection.failed()
      socket.destroy()
    })
    speaking.push(server)
    return front.before(server)
  }

  const https = await listenEverywhere(opening(openHttps), listening.ports.https, listening.addresses)
  const mqtt = await listenEverywhere(opening(openTls(serveMqtt)), listening.ports.mqtt, listening.addresses)
  const amqp = await listenEverywhere(opening(openTls(serveAmqp)), listening.ports.amqp, listening.addresses)
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

/**
 * Node's own, and before them those that are signed for by an elliptic key: our order decides, and who knows both kinds of key is
 * served with the one that costs less. An RSA signature costs as much as the rest of the handshake. [performance.md, TLS]
 */
const ciphers = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-SHA256',
  'ECDHE-ECDSA-AES256-SHA384',
  DEFAULT_CIPHERS,
].join(':')

function tlsOptions({ key, certificate, rsa }: Pick<Listening, 'key' | 'certificate' | 'rsa'>): TlsOptions {
  return {
    key: rsa ? [key, rsa.key] : key,
    cert: rsa ? [certificate, rsa.certificate] : certificate,
    minVersion: 'TLSv1.2',
    ciphers,
    requestCert: true,
    rejectUnauthorized: false,
    // No names are suggested: Java and Windows withhold a certificate whose issuer is not among them. [device-wire §7.1]
    ca: [],
    // Post-quantum shares are not offered to clients that ask for them: they cost more than the rest of the handshake. In TLS 1.2
    // the list also says which curves a client's certificate may have.
    ecdhCurve: 'X25519:P-256:P-384:P-521',
    // A resumed session has lost the client's intermediates. [client-findings, TLS]
    secureOptions: constants.SSL_OP_NO_TICKET,
    // Without it TLS 1.3 answers wait for a delayed acknowledgement. [performance.md]
    noDelay: true,
  }
}

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

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
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
