import { Agent, request as httpsRequest } from 'node:https'
import { AddressDenied, demandPermittedHost, guardedLookup, type Allowed } from '../base/guarded-lookup.ts'
import type { HubTransport } from './iot-hub.ts'

const ordinaryTimeout = 15_000
const longestBody = 1 << 20

/**
 * Reach hubs over HTTPS, on kept connections, at public addresses and those that are allowed; `ca` (PEM) is trusted too. `timeout`
 * in milliseconds of silence.
 */
export function httpsTransport(
  ca: readonly string[],
  allowed: Allowed,
  timeout = ordinaryTimeout,
): HubTransport & Disposable {
  const lookup = guardedLookup(allowed)
  const agent = new Agent({ keepAlive: true, maxSockets: 32, lookup, ...(ca.length > 0 ? { ca: [...ca] } : {}) })
  const transport: HubTransport = (hostName, { method, path, headers, body }) =>
    new Promise((resolve, reject) => {
      demandAllowed(hostName, allowed)
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
      call.on('error', (error) => reject(error instanceof AddressDenied ? denied(hostName) : error))
      call.end(body)
    })
  return Object.assign(transport, { [Symbol.dispose]: () => agent.destroy() })
}

function demandAllowed(hostName: string, allowed: Allowed): void {
  try {
    demandPermittedHost(hostName, allowed)
  } catch (error) {
    throw error instanceof AddressDenied ? denied(hostName) : error
  }
}

function denied(hostName: string): Error {
  return new Error(
    `${hostName} is at an address where hubs are not called; the operator may allow it with --hub-networks`,
  )
}
