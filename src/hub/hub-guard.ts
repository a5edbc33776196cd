import { Refusal } from '../model/refusal.ts'
import type { Clocks } from '../base/time.ts'
import type { HubRequest, HubResponse, HubTransport } from './iot-hub.ts'
import { retryAfterOf } from './retry-after.ts'
import { writeBudget, type WriteBudget } from './write-budget.ts'

/** What is known of the link to a hub. */
export interface LinkHealth {
  readonly hostName: string
  readonly state: 'untried' | 'healthy' | 'unauthorized' | 'forbidden' | 'throttled' | 'unavailable'
  /** Milliseconds since 1970. */
  readonly since: number
  /** The hub's own words, or why there were none. */
  readonly detail: string
  /** Milliseconds there and back, as last measured. */
  readonly latency?: number | undefined
}

/** Watches every call to the linked hubs, spares those that cannot answer, and keeps to what they take. */
export interface HubGuard {
  /** The same transport, watched: refused at once, with a time to come back, while a hub's circuit is open. */
  readonly watch: (transport: HubTransport) => HubTransport
  /** Why no new device should be sent to a hub, such as `unauthorized since …`; undefined if nothing speaks against it. */
  readonly broken: (hostName: string) => string | undefined
  readonly health: () => readonly LinkHealth[]
  readonly measured: (hostName: string, latency: number) => void
  readonly latency: (hostName: string) => number | undefined
  /** Whole seconds that a device should wait which asks now, because its hub's writes wait for their turn. */
  readonly retryAfter: () => number
}

/** What a guard goes by. */
export interface GuardRules extends Clocks {
  /** Registry writes per minute that a hub takes; undefined if there is no limit. An S1 unit takes 100. */
  readonly writesPerMinute: (hostName: string) => number | undefined
  /** Hears of every link that breaks, and of every one that is whole again. */
  readonly onChange: (health: LinkHealth) => void
}

/** So many calls in a row without an answer open the circuit. */
const mostFailures = 3
const shortestPause = 1000
/** Milliseconds after which a hub that was full is tried with a new device again. */
const quotaRetry = 5 * 60_000
const longestPause = 30_000
/** Devices are told no longer wait than this; the C SDK takes up to 300 s. [device-wire §9.3] */
const longestRetryAfter = 300

interface Link extends LinkHealth {
  readonly budget?: WriteBudget | undefined
  readonly failures: number
  /** No call is made before this moment of the monotonic clock, but the one that tries. */
  readonly closedUntil: number
  /** `since`, by the monotonic clock. */
  readonly changedAt: number
  readonly trying: boolean
}

export function hubGuard({ clock, monotonic, writesPerMinute, onChange }: GuardRules): HubGuard {
  const links = new Map<string, Link>()

  const linkTo = (hostName: string): Link => {
    const key = hostName.toLowerCase()
    const known = links.get(key)
    if (known) return known
    const limit = writesPerMinute(hostName)
    const budget = limit === undefined ? undefined : writeBudget(hostName, limit, monotonic)
    const link: Link = {
      hostName,
      state: 'untried',
      since: clock(),
      changedAt: monotonic(),
      detail: '',
      budget,
      failures: 0,
      closedUntil: -Infinity,
      trying: false,
    }
    links.set(key, link)
    return link
  }

  const become = (hostName: string, change: Partial<Link>): void => {
    const before = linkTo(hostName)
    const changed = change.state !== undefined && change.state !== before.state
    const link = { ...before, ...change, ...(changed && { since: clock(), changedAt: monotonic() }) }
    links.set(hostName.toLowerCase(), link)
    if (changed && !(before.state === 'untried' && link.state === 'healthy')) onChange(link)
  }

  const admit = (hostName: string): void => {
    const { closedUntil, trying, state, detail } = linkTo(hostName)
    const pause = closedUntil - monotonic()
    if (pause <= 0 && !trying) {
      // While others wait, one finds out whether the hub is back.
      if (closedUntil > -Infinity) become(hostName, { trying: true })
      return
    }
    // A probe may find the hub well before the circuit would; one that said when to come back knows best itself.
    const longest = state === 'throttled' ? Infinity : 1000
    const retryAfter = Math.min(Math.max(pause, 200), longest) / 1000
    throw new Refusal('HubUnavailable', `${hostName} is not called: ${state}, ${detail}`, { retryAfter })
  }

  const observe = (hostName: string, request: HubRequest, response: HubResponse): void => {
    const { status, headers, body } = response
    const detail = body.slice(0, 300) || `HTTP ${status}`
    if (status === 401) {
      // Another key may do; only the last one tells.
      if (!request.another)
        become(hostName, { state: 'unauthorized', detail, failures: 0, closedUntil: -Infinity, trying: false })
      else become(hostName, { trying: false })
      return
    }
    if (status === 429) {
      const pause = (retryAfterOf(headers) ?? 1) * 1000
      return become(hostName, { state: 'throttled', detail, closedUntil: monotonic() + pause, trying: false })
    }
    if (status === 403) {
      become(hostName, { state: 'forbidden', detail, failures: 0, closedUntil: -Infinity, trying: false })
      // The time counts from the last refusal: after a while the next device tries again.
      links.set(hostName.toLowerCase(), { ...linkTo(hostName), since: clock(), changedAt: monotonic() })
      return
    }
    if (status >= 500) return failed(hostName, `${status}: ${detail}`)
    const { state } = linkTo(hostName)
    // A right that is there for reading says nothing of the one that is missing.
    const heals =
      state === 'forbidden' ? status < 300 && isCreation(request) : state !== 'unauthorized' || isRegistryWrite(request)
    become(hostName, {
      failures: 0,
      closedUntil: -Infinity,
      trying: false,
      ...(heals && { state: 'healthy', detail: '' }),
    })
  }

  const failed = (hostName: string, detail: string): void => {
    const failures = linkTo(hostName).failures + 1
    if (failures < mostFailures) return become(hostName, { failures, trying: false })
    const pause = Math.min(shortestPause * 2 ** (failures - mostFailures), longestPause)
    become(hostName, { state: 'unavailable', detail, failures, closedUntil: monotonic() + pause, trying: false })
  }

  return {
    watch: (transport) => async (hostName, request) => {
      if (isRegistryWrite(request) && !request.probe) await linkTo(hostName).budget?.turn()
      if (!request.probe) admit(hostName)
      try {
        const response = await transport(hostName, request)
        observe(hostName, request, response)
        return response
      } catch (error) {
        failed(hostName, error instanceof Error ? error.message : String(error))
        throw error
      }
    },
    broken: (hostName) => {
      const link = links.get(hostName.toLowerCase())
      if (!link || link.state === 'healthy' || link.state === 'untried') return undefined
      if (link.state === 'forbidden' && monotonic() - link.changedAt > quotaRetry) return undefined
      return `${link.state} since ${new Date(link.since).toISOString()}`
    },
    health: () =>
      [...links.values()].map(({ hostName, state, since, detail, latency }) => ({
        hostName,
        state,
        since,
        detail,
        latency,
      })),
    measured: (hostName, latency) => become(hostName, { latency }),
    latency: (hostName) => links.get(hostName.toLowerCase())?.latency,
    retryAfter: () => {
      const longest = Math.max(0, ...[...links.values()].map(({ budget }) => budget?.wait() ?? 0))
      return Math.min(Math.ceil(longest / 1000), longestRetryAfter)
    },
  }
}

/** What a quota stands in the way of. */
function isCreation({ method, path, headers }: HubRequest): boolean {
  return path.startsWith('/devices') && (method === 'POST' || (method === 'PUT' && headers['if-match'] === undefined))
}

/** What a hub's registry throttle counts: identities, not twins. */
function isRegistryWrite({ method, path }: HubRequest): boolean {
  return method !== 'GET' && path.startsWith('/devices')
}
