import { openBundledHub, type BundledHub } from '../bundled-hub/bundled-hub.ts'
import { httpsTransport } from '../hub/https-transport.ts'
import type { HubGuard } from '../hub/hub-guard.ts'
import type { Hubs } from '../hub/hubs.ts'
import { iotHub } from '../hub/iot-hub.ts'
import { probeLinks, watchedHubs } from './hub-links.ts'
import { hubRefusals } from './hub-refusals.ts'
import { hubTransport } from './hub-transport.ts'
import { hubCa } from './from-configuration.ts'
import { allowedFor } from './outbound.ts'
import type { Foundation } from './foundation.ts'

/** The hubs that devices are assigned to: the bundled one, and how all of them are reached. */
export interface HubWing {
  readonly bundled: BundledHub
  readonly connectionStrings: readonly string[]
  readonly guard: HubGuard
  readonly hubs: Hubs
}

/** Open the bundled hub, and the way to every linked one; what becomes of a link is watched. */
export async function openHubWing(foundation: Foundation): Promise<HubWing> {
  const { configuration, clocks, log, data, database, store, onFault, closing } = foundation
  const { hubNames } = configuration
  const bundled = closing.use(
    await openBundledHub({
      directory: data,
      hostNames: hubNames,
      clock: clocks.clock,
      onTurnedAway: hubRefusals(store, { ...clocks, onDecision: foundation.journal.record, onFault }),
      onFault,
      database,
    }),
  )
  const remote = closing.use(httpsTransport(hubCa(configuration), allowedFor(configuration, 'hubNetworks')))
  const guard = watchedHubs(configuration, log, clocks)
  const transport = guard.watch(hubTransport(bundled, remote))
  closing.use(probeLinks(store, configuration, { ...clocks, guard, transport }, onFault))
  return {
    bundled,
    connectionStrings: hubNames.map((hostName) => bundled.connectionString(hostName)),
    guard,
    hubs: (link, until) =>
      iotHub(link, transport, clocks.clock, { until, monotonic: clocks.monotonic, random: Math.random }),
  }
}
