import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { receiveRequest, pathOf, sendResponse, type HttpApi } from '../wire/http.ts'
import type { Peer } from '../base/peer.ts'

/** Requests of one connection that may be under way: hardly any client sends the next before the last is answered. */
const mostAtOnce = 16
/** Bytes that a request takes beside its body: its headers, parsed and as they came, and its answer's. */
const requestBytes = 32 << 10

/** Answers the requests of a server's connections. What fails is told, and ends its connection and nothing else. */
export function httpServing(
  http: readonly HttpApi[],
  onFault: (fault: unknown) => void,
): (incoming: IncomingMessage, outgoing: ServerResponse, peer: Peer) => void {
  const underWay = new WeakMap<Duplex, number>()

  /** False if there are too many. Until `outgoing` is closed. */
  function begin({ socket }: IncomingMessage, outgoing: ServerResponse, { memory }: Peer): boolean {
    const count = (underWay.get(socket) ?? 0) + 1
    if (count > mostAtOnce) return false
    underWay.set(socket, count)
    memory?.count(requestBytes)
    outgoing.on('close', () => {
      underWay.set(socket, (underWay.get(socket) ?? 1) - 1)
      memory?.count(-requestBytes)
    })
    return true
  }

  return (incoming, outgoing, peer) => {
    if (!begin(incoming, outgoing, peer)) return void incoming.socket.destroy()
    const api = http.find(({ owns }) => owns(pathOf(incoming)))
    if (!api) return sendResponse(outgoing, { status: 404 })
    const { request, release } = receiveRequest(incoming, peer, api.largestBody)
    api
      .handle(request)
      .finally(release)
      .then((response) => sendResponse(outgoing, response))
      .catch((fault: unknown) => {
        onFault(fault)
        outgoing.destroy()
      })
  }
}
