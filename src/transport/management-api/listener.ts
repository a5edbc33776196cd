import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Admission } from '../admission/admission.ts'
import { frontOf } from '../front.ts'
import { guardOf } from '../guard.ts'
import { pathOf, readRequest, sendResponse, type HttpApi } from '../../wire/http.ts'

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
  const { key, certificate, address, port, http, admission, onFault } = listening
  const guard = guardOf(onFault)
  const front = frontOf(admission, guard)
  const server = createServer({ key, cert: certificate, minVersion: 'TLSv1.2', noDelay: true }, (incoming, outgoing) =>
    guard(incoming.socket, () => {
      const passed = front.of(incoming.socket)
      if (!passed) return void incoming.destroy()
      const peer = { remoteAddress: passed.remoteAddress, certificateChain: [], standing: passed.connection }
      const api = http.find(({ owns }) => owns(pathOf(incoming)))
      if (!api) return sendResponse(outgoing, { status: 404 })
      readRequest(incoming, peer, api.largestBody)
        .then(async (request) => request && sendResponse(outgoing, await api.handle(request)))
        .catch((fault: unknown) => {
          onFault(fault)
          outgoing.destroy()
        })
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
