import { isIP } from 'node:net'
import type { Logger } from 'pino'
import { certificateExpiries, expiryWatch } from '../instances/certificate-expiry.ts'
import { refreshRevocationLists, staleRevocationLists, type FetchList } from '../instances/revocation-lists/refresh.ts'
import type { IotHub } from '../hub/iot-hub.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Clock, Clocks } from '../base/time.ts'
import type { Store } from '../store/store.ts'
import type { Admission } from '../transport/admission/admission.ts'
import { accessRoutes } from '../transport/management-api/access-routes.ts'
import { renewAdministratorToken } from '../access/access-tokens.ts'
import { caCertificateRoutes } from '../transport/management-api/ca-certificate-routes.ts'
import type { InstanceLimits } from '../instances/instances.ts'
import { instanceRoutes } from '../transport/management-api/instance-routes.ts'
import { openManagementListener, type ManagementListener } from '../transport/management-api/management-listener.ts'
import { managementApi } from '../transport/management-api/management-api.ts'
import { policyRoutes } from '../transport/management-api/policy-routes.ts'
import type { Authority } from '../access/principal.ts'
import { providerRoutes } from '../transport/management-api/provider-routes.ts'
import { revocationRoutes } from '../transport/management-api/revocation-routes.ts'
import type { Route } from '../transport/management-api/route.ts'
import type { HttpApi } from '../wire/http.ts'
import type { MemoryBudget } from '../base/memory.ts'
import type { ServerCertificate } from './certificates.ts'
import type { Configuration } from './configuration.ts'
import { logFault } from './log.ts'
import type { SampledLog } from './sampled-log.ts'

/** What the control plane is put together from. */
export interface ManagementParts extends Clocks {
  readonly configuration: Configuration
  readonly store: Store
  readonly log: Logger
  readonly sampled: SampledLog
  readonly authority: Authority
  /** Takes a line of the audit log. */
  readonly audit: (line: object) => void
  /** False while changes must not be made. */
  /** Absent: the audit log is not told of changes before they are made. */
  readonly intend?: (line: object) => boolean
  readonly certificate: ServerCertificate
  readonly admission: Admission
  readonly memory: MemoryBudget
  readonly hubs: (link: LinkedHub) => IotHub
  readonly fetchList: FetchList
  readonly limits: InstanceLimits
  /** Beside those of the control plane itself. */
  readonly routes: readonly Route[]
  /** Asked before the control plane, such as for the files of a console. */
  readonly http: readonly HttpApi[]
  /** Told when an instance has another host name than before. */
  readonly onHostNames: () => Promise<void>
}

/** Milliseconds between looks at the calendar and at lists that may be due. */
const watchEvery = 10 * 60 * 1000

/** Open the control plane on its own port; another one if that is taken. */
export async function openManagement(parts: ManagementParts): Promise<ManagementListener> {
  const {
    configuration,
    store,
    clock,
    monotonic,
    log,
    sampled,
    authority,
    audit,
    intend,
    certificate,
    admission,
    memory,
    hubs,
    fetchList,
    limits,
    routes,
    http,
    onHostNames,
  } = parts
  const { deviceHost } = configuration
  const onFault = sampled.fault
  const api = managementApi({
    store,
    clock,
    monotonic,
    authority,
    ...(intend && { intend }),
    log: {
      audit: (line) => {
        sampled.call(line)
        // Strangers could push out what administrators did.
        if (line.principal !== undefined) audit(line)
      },
      fault: onFault,
    },
    routes: [
      ...instanceRoutes({ store, clock, deviceHost, hostNameFor: hostNameFor(configuration), limits, onHostNames }),
      ...policyRoutes(store),
      ...caCertificateRoutes(store, clock, limits),
      ...accessRoutes(store, clock),
      ...providerRoutes(),
      ...revocationRoutes({ store, clock, hubs, fetchList }),
      ...routes,
    ],
  })
  const address = managementAddress(configuration)
  const open = (port: number) =>
    openManagementListener({ ...certificate, address, port, http: [...http, api], admission, memory, onFault })
  try {
    return await open(configuration.managementPort)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    const listener = await open(0)
    log.warn(`Port ${configuration.managementPort} of ${address} is taken: the control plane is at ${listener.port}.`)
    return listener
  }
}

/** Where the control plane listens: this machine alone, unless told otherwise. */
export function managementAddress({ managementListen, listen }: Configuration): string {
  if (managementListen !== '') return managementListen
  return listen.find((address) => /^(?:127\.|::1$|localhost$)/.test(address)) ?? '127.0.0.1'
}

/** The administrator's token, if this start makes one: the first start does, and one that is told to. */
export async function administratorToken(
  store: Store,
  { managementToken }: Configuration,
  clock: Clock,
): Promise<string | undefined> {
  const known = await store.accessTokens.all()
  if (known.length > 0 && managementToken === 'keep') return undefined
  return (await renewAdministratorToken(store, clock)).text
}

/**
 * Warn in the log of certificates that come to their end and of revocation lists that have, renew the lists, and have the server's own
 * certificate renewed when it is due or its file has changed; until it is disposed of.
 */
export function watchCertificates(
  { store, clock, log, fetchList }: Pick<ManagementParts, 'store' | 'clock' | 'log' | 'fetchList'>,
  renewCertificate: () => Promise<void>,
): Disposable {
  const warnings = expiryWatch()
  let warned = new Set<string>()
  const onFault = (fault: unknown) => logFault(log, fault)
  const look = async () => {
    for (const warning of warnings(await certificateExpiries(store), clock())) log.warn(warning)
    await renewCertificate()
    for (const failure of await refreshRevocationLists({ store, clock }, fetchList)) log.warn(failure)
    const stale = new Set(await staleRevocationLists({ store }, clock()))
    for (const complaint of stale) if (!warned.has(complaint)) log.warn(complaint)
    warned = stale
  }
  let looking = false
  const lookOnce = async () => {
    // Servers of lists may be slow: the next round comes after this one.
    if (looking) return
    looking = true
    await look().catch(onFault)
    looking = false
  }
  void lookOnce()
  const timer = setInterval(() => void lookOnce(), watchEvery)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

/** A name below the domain of the service: an address has no names below it, so `localhost` stands in for one. */
function hostNameFor({ serviceDomain, deviceHost }: Configuration): (instance: string) => string {
  const domain = serviceDomain !== '' ? serviceDomain : isIP(deviceHost) > 0 ? 'localhost' : deviceHost
  return (instance) => `${instance}.${domain}`
}
