import type { Logger } from 'pino'
import { hubGuard, type HubGuard } from '../hub/hub-guard.ts'
import { probeRegularly, type Probing } from '../hub/probe.ts'
import type { Clocks } from '../base/time.ts'
import type { Reader } from '../store/store.ts'
import type { Configuration } from './configuration.ts'

/** The guard of the linked hubs; what becomes of a link stands in the log before a device notices. */
export function watchedHubs({ hubWrites, hubNames }: Configuration, log: Logger, clocks: Clocks): HubGuard {
  const bundled = new Set(hubNames.map((name) => name.toLowerCase()))
  return hubGuard({
    ...clocks,
    writesPerMinute: (hostName) => (hubWrites === 0 || bundled.has(hostName.toLowerCase()) ? undefined : hubWrites),
    onChange: (health) => {
      const { hostName, state, since, detail } = health
      if (state === 'healthy') log.info({ link: health }, `hub link restored: ${hostName}`)
      else {
        const when = new Date(since).toISOString()
        log.error({ link: health }, `hub link broken: ${state} since ${when}: ${hostName}: ${detail}`)
      }
    },
  })
}

/** Probes the links of every instance now and then. */
export function probeLinks(
  store: Reader,
  { hubProbe }: Configuration,
  probing: Probing,
  onFault: (fault: unknown) => void,
): Disposable {
  const links = async () => {
    const services = await store.services.all()
    return (await Promise.all(services.map(({ idScope }) => store.linkedHubs.all(idScope)))).flat()
  }
  return probeRegularly(links, hubProbe * 1000, probing, onFault)
}
