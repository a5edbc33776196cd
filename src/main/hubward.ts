import type { Logger } from 'pino'
import { bearerAuthority } from '../access/authority.ts'
import type { Clocks } from '../base/time.ts'
import { firstInstance, type FirstInstance } from '../instances/first-instance.ts'
import { inTurn } from '../instances/in-turn.ts'
import type { Listener } from '../transport/device-listener.ts'
import type { ManagementListener } from '../transport/management-api/management-listener.ts'
import type { ServerCertificate } from './certificates.ts'
import { machineClocks, watchClock } from './clocks.ts'
import type { Configuration } from './configuration.ts'
import { openDeviceWing } from './device-wing.ts'
import { keyFetcher } from './fetch-keys.ts'
import { listFetcher } from './fetch-list.ts'
import { layFoundation } from './foundation.ts'
import { certificateFor, managementEndpoint } from './from-configuration.ts'
import { openHubWing } from './hub-wing.ts'
import { administratorToken, openManagementWing, watchCertificates } from './management-wing.ts'
import { allowedFor } from './outbound.ts'
import { openRegistrationWing, type RegistrationComposition } from './registration-wing.ts'

/** A running service; disposing it lets what is under way finish, then closes everything. */
export interface Hubward extends AsyncDisposable {
  readonly first: FirstInstance
  readonly ports: Listener['ports']
  readonly management: {
    /** The URL of the control plane. */
    readonly endpoint: string
    /** The administrator's token, if this start made one. */
    readonly token: string | undefined
  }
  readonly caFile: string
  readonly hubConnectionStrings: readonly string[]
}

/** What the service is put together from, where that is not what `npm start` takes. */
export interface Composition extends RegistrationComposition {
  readonly clocks?: Clocks
}

/** Put the service together and open it. */
export async function openHubward(
  configuration: Configuration,
  log: Logger,
  { clocks = machineClocks, ...composition }: Composition = {},
): Promise<Hubward> {
  await using opened = new AsyncDisposableStack()
  const foundation = layFoundation(configuration, log, clocks, opened)
  const { store, data } = foundation

  const hubs = await openHubWing(foundation)
  const first = await firstInstance(store, configuration.deviceHost, hubs.bundled, clocks.clock)
  const registration = await openRegistrationWing(foundation, hubs, composition)

  const certificate = await certificateFor(configuration, data, store)
  if (certificate.warning) log.warn(certificate.warning)
  const authority = bearerAuthority(store, clocks, keyFetcher(allowedFor(configuration, 'issuerNetworks')))
  const devices = await openDeviceWing(foundation, hubs, registration, authority, certificate)

  const fetchList = listFetcher(allowedFor(configuration))
  const renewCertificate = renewing(certificate, () => certificateFor(configuration, data, store), [
    devices,
    { renew: (renewed) => management.renew(renewed) },
  ])
  const management: ManagementListener = await openManagementWing(foundation, hubs, registration, {
    authority,
    certificate,
    fetchList,
    onHostNames: renewCertificate,
  })
  opened.use(watchClock(clocks, log))
  opened.use(watchCertificates(foundation, fetchList, renewCertificate))
  const token = await administratorToken(store, configuration, clocks.clock)

  const open = opened.move()
  return {
    first,
    ports: devices.ports,
    management: { endpoint: managementEndpoint(configuration, management), token },
    caFile: certificate.caFile,
    hubConnectionStrings: hubs.connectionStrings,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

/**
 * Looks for another certificate than the one that is served, and has it served by these: one look after the other, so that none
 * serves what it made before an instance was there that a later one has seen.
 */
function renewing(
  certificate: ServerCertificate,
  look: () => Promise<ServerCertificate>,
  servers: readonly { readonly renew: (renewed: ServerCertificate) => void }[],
): () => Promise<void> {
  let served = certificate
  const renew = async (): Promise<void> => {
    const renewed = await look()
    if (renewed.certificate === served.certificate) return
    for (const server of servers) server.renew(renewed)
    served = renewed
  }
  return () => inTurn(servers, 'certificate', renew)
}
