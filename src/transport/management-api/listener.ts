import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
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
  const { key, certificate, address, port, http, onFault } = listening
  const server = createServer(
    { key, cert: certificate, minVersion: 'TLSv1.2', noDelay: true },
    (incoming, outgoing) => {
      const peer = {
        remoteAddress: (incoming.socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, ''),
        certificateChain: [],
      }
      const api = http.find(({ owns }) => owns(pathOf(incoming)))
      if (!api) return sendResponse(outgoing, { status: 404 })
      readRequest(incoming, peer, api.largestBody)
        .then(async (request) => request && sendResponse(outgoing, await api.handle(request)))
        .catch((fault: unknown) => {
          onFault(fault)
          outgoing.destroy()
        })
    },
  )
  server.on('tlsClientError', () => {}) // its socket is gone; there is nobody to tell
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
  return {
    address,
    port: (server.address() as AddressInfo).port,
    renew: (renewed) => server.setSecureContext({ key: renewed.key, cert: renewed.certificate, minVersion: 'TLSv1.2' }),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const cut = setTimeout(() => server.closeAllConnections(), drainTimeout)
      await closed
      clearTimeout(cut)
    },
  }
}
