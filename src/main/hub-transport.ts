import type { BundledHub } from '../bundled-hub/bundled-hub.ts'
import type { HubTransport } from '../hub/iot-hub.ts'
import type { Peer } from '../base/peer.ts'

const ourselves: Peer = { remoteAddress: '127.0.0.1', certificateChain: [] }

/**
 * Reach a hub where it is: one that lives in this process through its REST API without a socket, any other over HTTPS. The
 * driver says the same words to both.
 */
export function hubTransport(bundled: BundledHub, remote: HubTransport): HubTransport {
  const here = new Set(bundled.hostNames.map((hostName) => hostName.toLowerCase()))
  return async (hostName, request) => {
    if (!here.has(hostName.toLowerCase())) return remote(hostName, request)
    const { method, path, headers, body } = request
    const mark = path.indexOf('?')
    const response = await bundled.handle({
      method,
      path: mark < 0 ? path : path.slice(0, mark),
      query: new URLSearchParams(mark < 0 ? '' : path.slice(mark + 1)),
      headers: { ...headers, host: hostName },
      body: () => Promise.resolve(Buffer.from(body)),
      peer: ourselves,
    })
    return { status: response.status, headers: response.headers ?? {}, body: String(response.body ?? '') }
  }
}
