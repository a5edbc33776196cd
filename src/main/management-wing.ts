import { isIP } from 'node:net'
import { codeOf } from '../base/error-code.ts'
import { renewAdministratorToken } from '../access/access-tokens.ts'
import type { Authority } from '../access/principal.ts'
import type { Clock } from '../base/time.ts'
import { certificateExpiries, expiryWatch } from '../instances/certificate-expiry.ts'
import type { InstanceLimits } from '../instances/instances.ts'
import { refreshRevocationLists, staleRevocationLists, type FetchList } from '../instances/revocation-lists/refresh.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Store } from '../store/store.ts'
import { accessRoutes } from '../transport/management-api/access-routes.ts'
import { caCertificateRoutes } from '../transport/management-api/ca-certificate-routes.ts'
import { decisionRoutes } from '../transport/management-api/decision-routes.ts'
import { healthRoutes } from '../transport/management-api/health-routes.ts'
import { hubRoutes } from '../transport/management-api/hub-routes.ts'
import { instanceRoutes } from '../transport/management-api/instance-routes.ts'
import { limitRoutes } from '../transport/management-api/limit-routes.ts'
import { managementApi } from '../transport/management-api/management-api.ts'
import { openManagementListener, type ManagementListener } from '../transport/management-api/management-listener.ts'
import { policyRoutes } from '../transport/management-api/policy-routes.ts'
import { providerRoutes } from '../transport/management-api/provider-routes.ts'
import { resourceManagerRoutes } from '../transport/management-api/resource-manager-routes.ts'
import { revocationRoutes } from '../transport/management-api/revocation-routes.ts'
import type { ManagementRoute } from '../transport/management-api/route.ts'
import { usageRoutes } from '../transport/management-api/usage-routes.ts'
import { whatIfRoutes } from '../transport/management-api/what-if-routes.ts'
import type { ServerCertificate } from './certificates.ts'
import type { Configuration } from './configuration.ts'
import { auditIntent, type Foundation } from './foundation.ts'
import { managementAddress } from './from-configuration.ts'
import type { HubWing } from './hub-wing.ts'
import { logFault } from './log.ts'
import type { RegistrationWing } from './registration-wing.ts'

/** Milliseconds between looks at the calendar and at lists that may be due. */
const watchEvery = 10 * 60 * 1000

/** What the control plane is told by, and tells. */
export interface ManagementParts {
  readonly authority: Authority
  readonly certificate: ServerCertificate
  readonly fetchList: FetchList
  /** Told when an instance has another host name than before. */
  readonly onHostNames: () => Promise<void>
}

/** Open the control plane on its own port; another one if that is taken. */
export async function openManagementWing(
  foundation: Foundation,
  hubWing: HubWing,
  registration: RegistrationWing,
  parts: ManagementParts,
): Promise<ManagementListener> {
  const { configuration, clocks, log, sampled, store, audit, doors, memory, onFault, closing } = foundation
  const api = managementApi({
    store,
    ...clocks,
    authority: parts.authority,
    ...auditIntent(foundation),
    log: {
      audit: (line) => {
        sampled.call(line)
        // Strangers could push out what administrators did.
        if (line.principal !== undefined) audit.write(line)
      },
      fault: onFault,
    },
    routes: routesOf(foundation, hubWing, registration, parts),
  })
  const address = managementAddress(configuration)
  const open = (port: number) =>
    openManagementListener({
      ...parts.certificate,
      address,
      port,
      http: [api],
      admission: doors.management,
      memory,
      onFault,
    })
  try {
    return closing.use(await open(configuration.managementPort))
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error
    const listener = closing.use(await open(0))
    log.warn(`Port ${configuration.managementPort} of ${address} is taken: the control plane is at ${listener.port}.`)
    return listener
  }
}

/** Everything that the control plane answers. */
function routesOf(
  foundation: Foundation,
  { bundled, hubs, guard }: HubWing,
  { attestation, allocation, registrar, metrics }: RegistrationWing,
  { fetchList, onHostNames }: ManagementParts,
): readonly ManagementRoute[] {
  const { configuration, clocks, store, journal, onFault } = foundation
  const { clock, monotonic } = clocks
  const { deviceHost } = configuration
  const limits: InstanceLimits = foundation.limitsFor
  const patiently = (link: LinkedHub) => hubs(link, monotonic() + configuration.hubPatience)
  return [
    ...instanceRoutes({ store, clock, deviceHost, hostNameFor: hostNameFor(configuration), limits, onHostNames }),
    ...policyRoutes(store),
    ...caCertificateRoutes(store, clock, limits),
    ...accessRoutes(store, clock),
    ...providerRoutes(),
    ...resourceManagerRoutes(store),
    ...revocationRoutes({ store, clock, hubs: patiently, fetchList }),
    ...decisionRoutes({ store, written: journal.written }),
    ...whatIfRoutes({ ...clocks, store, attestation, allocation }),
    ...usageRoutes(store, clock),
    ...limitRoutes(store, foundation.limits),
    ...healthRoutes(
      [
        { otherwise: 'the store cannot be read', attempt: store.services.all },
        { otherwise: 'the store cannot be written', attempt: () => store.transact(() => {}) },
        { otherwise: 'the bundled hub cannot be written', attempt: bundled.tryWrite },
      ],
      monotonic,
      onFault,
    ),
    ...metrics.routes,
    ...hubRoutes({ store, attestation, hubs, monotonic, registrar, health: guard.health }),
  ]
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
  { store, clocks: { clock }, log }: Foundation,
  fetchList: FetchList,
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
