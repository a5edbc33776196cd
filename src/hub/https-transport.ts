import { AddressDenied, type Allowed } from '../base/guarded-lookup.ts'
import { outgoing, trusting } from '../base/outgoing.ts'
import type { HubTransport } from './iot-hub.ts'

const ordinaryPatience = 15_000
const longest = 1 << 20
const connections = 32

/**
 * Reach hubs over HTTPS, on kept connections, at public addresses and those that are allowed; `ca` (PEM) is trusted beside the
 * system's. `patience` in milliseconds, for a whole call.
 */
export function httpsTransport(
  ca: readonly string[],
  allowed: Allowed,
  patience = ordinaryPatience,
): HubTransport & Disposable {
  const call = outgoing({ allowed, tls: trusting(ca), connections })
  const transport: HubTransport = async (hostName, { path, ...request }) => {
    try {
      const target = { protocol: 'https:', host: hostName, path } as const
      const answer = await call(target, { ...request, patience, longest })
      return { ...answer, body: answer.body.toString('utf8') }
    } catch (error) {
      throw error instanceof AddressDenied ? denied(hostName) : error
    }
  }
  return Object.assign(transport, { [Symbol.dispose]: call[Symbol.dispose] })
}

function denied(hostName: string): Error {
  return new Error(
    `${hostName} is at an address where hubs are not called; the operator may allow it with --hub-networks`,
  )
}
