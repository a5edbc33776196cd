import { constants } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpsServer } from 'node:https'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { type WebSocket, WebSocketServer } from 'ws'
import { type BundledHub, openBundledHub } from '../../src/bundled-hub/bundled-hub.ts'
import { receiveRequest, sendResponse } from '../../src/wire/http.ts'
import { MqttConnection } from '../../src/wire/mqtt/connection.ts'
import { connack } from '../../src/wire/mqtt/packets.ts'
import type { ByteStream } from '../../src/base/byte-stream.ts'
import type { Peer } from '../../src/base/peer.ts'
import { createRoot } from '../fixtures/certificates.ts'

/** Bundled hubs behind real TLS, on the ports that the SDKs fix. */
export interface HubServer extends AsyncDisposable {
  /** Its host name: an address of this machine's own. */
  readonly address: string
  /** PEM, and the file that holds it. */
  readonly ca: string
  readonly caFile: string
  readonly hub: BundledHub
  /** End every connection, close the hub, and open it again on the same data. */
  readonly restart: () => Promise<void>
  /** What must not have happened. */
  readonly faults: readonly unknown[]
}

/** Serves one hub named `address`, a loopback address that no other test binds. */
export async function serveHub(address: string): Promise<HubServer> {
  const directory = await mkdtemp(join(tmpdir(), 'hub-server-'))
  const root = await createRoot('hub test root')
  const leaf = await root.issueLeaf(address, { usage: 'serverAuth', names: [address] })
  const caFile = join(directory, 'ca.pem')
  await writeFile(caFile, root.certificate)
  const faults: unknown[] = []
  const onFault = (fault: unknown): void => void faults.push(fault)
  const open = () => openBundledHub({ directory, hostNames: [address], clock: Date.now, onFault })
  let hub = await open()
  let opening = Promise.resolve(hub)
  const sockets = new Set<TLSSocket>()
  const tls = {
    cert: leaf.chain,
    key: leaf.key,
    requestCert: true,
    rejectUnauthorized: false,
    secureOptions: constants.SSL_OP_NO_TICKET,
    noDelay: true,
  }
  const mqtt = (stream: ByteStream, peer: Peer): MqttConnection =>
    new MqttConnection(
      stream,
      peer,
      [async (...asked) => (await (await opening).mqtt(...asked)) ?? unknownHub],
      limits,
      onFault,
    )
  const mqtts = createTlsServer(tls, (socket) => {
    const connection = mqtt(streamOf(socket), peerOf(socket))
    socket.on('data', (bytes: Buffer) => connection.receive(bytes))
    socket.on('close', () => connection.streamClosed())
    socket.on('error', () => socket.destroy())
  })
  const https = createHttpsServer(tls, (incoming, outgoing) => {
    const { request } = receiveRequest(incoming, peerOf(incoming.socket as TLSSocket), hub.largestBody)
    opening.then(async ({ handle }) => sendResponse(outgoing, await handle(request))).catch(onFault)
  })
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  https.on('upgrade', (request, socket, head) => {
    const peer = peerOf(socket as TLSSocket)
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = mqtt(webSocketStream(webSocket), peer)
      webSocket.on('message', (bytes: Buffer) => connection.receive(bytes))
      webSocket.on('close', () => connection.streamClosed())
      webSocket.on('error', () => webSocket.terminate())
    })
  })
  for (const server of [mqtts, https]) {
    server.on('secureConnection', (socket: TLSSocket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
  }
  await Promise.all([listen(mqtts, 8883, address), listen(https, 443, address)])
  const close = async (): Promise<void> => {
    await hub[Symbol.asyncDispose]()
    for (const socket of sockets) socket.destroySoon()
  }
  return {
    address,
    ca: root.certificate,
    caFile,
    get hub() {
      return hub
    },
    faults,
    restart: async () => {
      opening = close().then(open)
      hub = await opening
    },
    [Symbol.asyncDispose]: async () => {
      mqtts.close()
      https.close()
      await close()
      await rm(directory, { recursive: true })
    },
  }
}

const unknownHub = { refused: connack.badUserNameOrPassword }
const limits = { packetBytes: 300_000, connectTimeout: 30_000, idleTimeout: 300_000 }

/** Leaf first; a certificate that issued itself ends the chain. */
function peerOf(socket: TLSSocket): Peer {
  const chain: Buffer[] = []
  let certificate = socket.getPeerCertificate(true)
  while (certificate?.raw !== undefined && !chain.some((seen) => seen.equals(certificate.raw))) {
    chain.push(certificate.raw)
    certificate = certificate.issuerCertificate
  }
  return { remoteAddress: socket.remoteAddress ?? '', certificateChain: chain }
}

function streamOf(socket: TLSSocket): ByteStream {
  return {
    send: (bytes) => void socket.write(bytes),
    destroy: () => void socket.destroy(),
    end: () => void socket.end(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    unsent: () => socket.writableLength,
  }
}

function webSocketStream(webSocket: WebSocket): ByteStream {
  return {
    send: (bytes) => webSocket.send(bytes),
    destroy: () => webSocket.terminate(),
    end: () => webSocket.close(),
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    unsent: () => webSocket.bufferedAmount,
  }
}

function listen(server: Server, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
}
