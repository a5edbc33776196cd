import { Agent, request as httpsRequest } from 'node:https'
import type { HubTransport } from './iot-hub.ts'

const ordinaryTimeout = 15_000
const longestBody = 1 << 20

/** Reach hubs over HTTPS, on kept connections; `ca` (PEM) is trusted too. `timeout` in milliseconds of silence. */
export function httpsTransport(ca: readonly string[], timeout = ordinaryTimeout): HubTransport & Disposable {
  const agent = new Agent({ keepAlive: true, maxSockets: 32, ...(ca.length > 0 ? { ca: [...ca] } : {}) })
  const transport: HubTransport = (hostName, { method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      const call = httpsRequest(
        {
          agent,
          host: hostName,
          method,
          path,
          timeout,
          headers: { ...headers, 'content-length': Buffer.byteLength(body) },
        },
        (response) => {
          const parts: Buffer[] = []
          let length = 0
          response.on('data', (part: Buffer) => {
            length += part.length
            if (length > longestBody)
              response.destroy(new Error(`the hub's answer is longer than ${longestBody} bytes`))
            else parts.push(part)
          })
          response.on('error', reject)
          response.on('end', () =>
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(parts).toString('utf8'),
            }),
          )
        },
      )
      call.on('timeout', () => call.destroy(new Error(`no answer within ${timeout} ms`)))
      call.on('error', reject)
      call.end(body)
    })
  return Object.assign(transport, { [Symbol.dispose]: () => agent.destroy() })
}
