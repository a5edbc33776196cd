import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Admission } from '../admission/admission.ts'
import { frontOf } from '../front.ts'
import { guardOf } from '../connection-guard.ts'
import { httpServing } from '../serve-http.ts'
import type { HttpApi } from '../../wire/http.ts'
import type { MemoryBudget } from '../../base/memory.ts'

export interface ManagementListening {
  /** PEM. */
  readonly key: string
  /** PEM. */
  readonly certificate: string
  readonly address: string
  /** 0 is any. */
  readonly port: number
  /** The first that owns a path answers; the last owns whatever is left. */
  readonly http: readonly HttpApi[]
  /** Which connections are taken: its own share, so that nobody at the device ports keeps operators out. */
  readonly admission: Admission
  readonly memory: MemoryBudget
  readonly onFault: (fault: unknown) => void
}

/** The port of the control plane. */
export interface ManagementListener extends AsyncDisposable {
  readonly address: string
  readonly port: number
  /** Serve new connections with another certificate. */
  readonly renew: (certificate: { readonly key: string; readonly certificate: string }) => void
}

/** Milliseconds. */
const drainTimeout = 2000

/**
 * Open the control plane's own port: HTTPS, bearer tokens, nothing of it on a device port. Rejects if the port cannot be had.
 */
export async function openManagementListener(listening: ManagementListening): Promise<ManagementListener> {
  const { key, certificate, address, port, http, admission, memory, onFault } = listening
  const guard = guardOf(onFault)
  const front = frontOf(admission, memory, guard)
  const serve = httpServing(http, onFault)
  const server = createServer({ key, cert: certificate, minVersion: 'TLSv1.2', noDelay: true }, (incoming, outgoing) =>
    guard(incoming.socket, () => {
      const passed = front.of(incoming.socket)
      if (!passed) return void incoming.destroy()
      const { remoteAddress, connection: standing, memory: account } = passed
      serve(incoming, outgoing, { remoteAddress, certificateChain: [], standing, memory: account })
    }),
  )
  server.on('secureConnection', (socket) => guard(socket, () => front.of(socket)?.connection.secured()))
  server.on('tlsClientError', (_, socket) => socket.destroy())
  const listener = front.before(server)
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen(port, address, resolve)
  })
  return {
    address,
    port: (listener.address() as AddressInfo).port,
    renew: (renewed) => server.setSecureContext({ key: renewed.key, cert: renewed.certificate, minVersion: 'TLSv1.2' }),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()))
      server.close()
      server.closeIdleConnections()
      const cut = setTimeout(front.cut, drainTimeout)
      await closed
      clearTimeout(cut)
    },
  }
}
