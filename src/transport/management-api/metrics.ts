import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CertificateExpiry } from '../../instances/certificate-expiry.ts'
import type { LinkHealth } from '../../hub/hub-guard.ts'
import type { Decision, DecisionShare } from '../../model/decision.ts'
import type { Clocks } from '../../base/time.ts'
import type { Counted } from '../../decisions/journal.ts'
import type { Reader } from '../../store/store.ts'
import type { HttpApi } from '../../wire/http.ts'
import type { MemoryBudget } from '../../base/memory.ts'
import type { Counts } from '../admission/admission.ts'
import type { ManagementRoute } from './route.ts'

/** Where metrics are taken from when somebody asks. */
export interface Measured extends Clocks {
  readonly store: Reader
  /** Operations that are running or wait for their turn. */
  readonly running: () => number
  readonly throttled: () => ReadonlyMap<string, number>
  readonly hubs: () => readonly LinkHealth[]
  readonly certificates: () => Promise<readonly CertificateExpiry[]>
  /** Of each listener. */
  readonly connections: () => Readonly<Record<'device' | 'management', Counts>>
  /** What connections hold. */
  readonly memory: Pick<MemoryBudget, 'held' | 'cuts'>
  /** Decision records that could not be kept. */
  readonly decisionsLost: () => Readonly<Record<DecisionShare, number>>
  /** Attempts that were counted instead of recorded singly. */
  readonly decisionsCounted: () => readonly Counted[]
  /** Lines of the audit log that wait for the file to take them, and those that could not even wait. */
  readonly audit: { readonly waiting: () => number; readonly lost: () => number }
}

/** What is counted as it happens, and the route that tells it all. */
export interface Metrics {
  /** Takes every decision. Never throws. */
  readonly decided: (decision: Decision) => void
  /** The same API, with its requests counted and timed under this name. */
  readonly timed: (api: string, served: HttpApi) => HttpApi
  readonly routes: readonly ManagementRoute[]
}

/** Instances, enrollments and registrations are counted anew after so many milliseconds: it is a walk through an index. */
const countedFor = 60_000
const [firstDay, lastDay] = ['0000-00-00', '9999-99-99']
const none = 'unknown'

/**
 * Prometheus metrics: those that mirror Azure's, and our own. `GET /metrics` needs a role that reads the whole deployment, because
 * instances and hubs are named in it. [service-wire §14.3]
 */
export function metrics(measured: Measured): Metrics {
  const registers = [new Registry()]
  const [register] = registers as [Registry]
  const counter = <T extends string>(name: string, help: string, labelNames: T[]) =>
    new Counter({ name, help, labelNames, registers })
  const seconds = <T extends string>(name: string, help: string, labelNames: T[]) =>
    new Histogram({ name, help, labelNames, registers, buckets: [0.005, 0.02, 0.1, 0.5, 2, 10, 60] })

  const attestations = counter('dps_attestation_attempts_total', 'Attempts of devices to prove who they are.', [
    'instance',
    'status',
    'protocol',
  ])
  const registrations = counter('dps_registration_attempts_total', 'Attempts of devices to register.', [
    'instance',
    'iot_hub',
    'status',
  ])
  const assignments = counter('dps_device_assignments_total', 'Devices assigned to a hub.', ['instance', 'iot_hub'])
  const refusals = counter('dps_refusals_total', 'Attempts that were refused or failed, by reason.', [
    'instance',
    'reason',
  ])
  const hubCalls = seconds('dps_hub_call_duration_seconds', 'Calls to linked hubs.', ['iot_hub', 'op', 'code'])
  const webhooks = seconds('dps_webhook_duration_seconds', 'Custom allocation.', ['outcome'])
  const requests = counter('dps_http_requests_total', 'Requests over HTTPS.', ['api', 'route', 'method', 'code'])
  const durations = seconds('dps_http_request_duration_seconds', 'Requests over HTTPS.', ['api'])
  gauges(measured, registers)

  function count(decision: Decision, instance: string): void {
    const { outcome, asked, findings, protocol, assignedHub, reason } = decision
    if (reason) refusals.inc({ instance, reason })
    if (asked) return
    const attested = findings.some(({ step }) => step === 'attested')
    if (outcome !== 'challenged') attestations.inc({ instance, protocol, status: attested ? 'Success' : 'Failed' })
    const iot_hub = assignedHub ?? ''
    registrations.inc({ instance, iot_hub, status: outcome === 'assigned' ? 'Success' : 'Failed' })
    if (outcome === 'assigned') assignments.inc({ instance, iot_hub })
    for (const finding of findings) {
      if (finding.step === 'hub' && finding.milliseconds !== undefined) {
        const [code = ''] = /^[A-Z]\w+(?=:)/.exec(finding.found) ?? ['ok']
        hubCalls.observe({ iot_hub: finding.hub, op: finding.call, code }, finding.milliseconds / 1000)
      }
      if (finding.step === 'custom') webhooks.observe({ outcome }, finding.milliseconds / 1000)
    }
  }

  return {
    decided: (decision) => {
      // An instance that nobody has gets no name of its own: strangers could make up any number.
      const named = measured.store.services.byIdScope(decision.idScope)
      named.then(
        (service) => count(decision, service?.name ?? none),
        () => count(decision, none),
      )
    },
    timed: (api, served) => ({
      ...served,
      handle: async (request) => {
        const startedAt = measured.monotonic()
        const response = await served.handle(request)
        const method = methods.has(request.method) ? request.method : 'other'
        requests.inc({ api, route: routeOf(request.path), method, code: response.status })
        durations.observe({ api }, (measured.monotonic() - startedAt) / 1000)
        return response
      },
    }),
    routes: [
      {
        method: 'GET',
        path: '/metrics',
        operationName: 'GetMetrics',
        permission: 'read',
        run: async () => ({ text: await register.metrics(), headers: { 'Content-Type': register.contentType } }),
      },
    ],
  }
}

/** What of a path is a word of the API: neither IDs nor what strangers make up become names. */
function routeOf(path: string): string {
  const words = path
    .toLowerCase()
    .split('/')
    .filter((word) => routeWords.has(word))
  return words.slice(0, 2).join('/') || none
}

const routeWords = new Set(
  'enrollments enrollmentgroups registrations query attestationmechanism register operations'.split(' '),
)
const methods = new Set(['GET', 'PUT', 'POST', 'PATCH', 'DELETE'])

/** Looks, and says a value for each combination of labels. */
type Look<T extends string> = (set: (labels: Partial<Record<T, string>>, value: number) => void) => Promise<void> | void

/** What is asked for at the moment of the question. */
function gauges(
  {
    store,
    clock,
    monotonic,
    running,
    throttled,
    hubs,
    certificates,
    decisionsLost,
    decisionsCounted,
    connections,
    memory,
    audit,
  }: Measured,
  registers: Registry[],
): void {
  const gauge = <T extends string>(name: string, help: string, labelNames: T[], look: Look<T>) =>
    new Gauge({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        this.reset()
        await look((labels, value) => this.set(labels, value))
      },
    })
  /** A sum that is kept elsewhere. */
  const total = <T extends string>(name: string, help: string, labelNames: T[], look: Look<T>) =>
    new Counter({
      name,
      help,
      labelNames,
      registers,
      async collect() {
        this.reset()
        await look((labels, value) => this.inc(labels, value))
      },
    })

  total('dps_throttled_total', 'Times that a limit was met.', ['kind'], (set) => {
    for (const [kind, times] of throttled()) set({ kind }, times)
  })
  total('dps_billable_operations_total', 'Billable operations.', ['instance', 'kind'], async (set) => {
    for (const { idScope, name: instance } of await store.services.all()) {
      const sums = new Map<string, number>()
      for (const { kind, operations } of await store.usage.between(idScope, firstDay, lastDay)) {
        sums.set(kind, (sums.get(kind) ?? 0) + operations)
      }
      for (const [kind, sum] of sums) set({ instance, kind }, sum)
    }
  })
  gauge('dps_hub_link_up', '1 while a linked hub answers and believes us.', ['iot_hub'], (set) => {
    for (const { hostName, state } of hubs())
      set({ iot_hub: hostName }, state === 'healthy' || state === 'untried' ? 1 : 0)
  })
  gauge('dps_cert_expiry_seconds', 'Seconds until a certificate expires.', ['instance', 'name'], async (set) => {
    for (const { instance, name, expires } of await certificates()) set({ instance, name }, (expires - clock()) / 1000)
  })
  gauge(
    'dps_crl_next_update_seconds',
    'Seconds until a revocation list is overdue.',
    ['instance', 'name'],
    async (set) => {
      for (const { idScope, name: instance } of await store.services.all()) {
        for (const { name, nextUpdate } of await store.revocationLists.all(idScope))
          if (nextUpdate !== undefined) set({ instance, name }, (Date.parse(nextUpdate) - clock()) / 1000)
      }
    },
  )
  total('dps_decisions_lost_total', 'Decision records that could not be kept.', ['share'], (set) => {
    for (const [share, times] of Object.entries(decisionsLost())) set({ share }, times)
  })
  gauge('dps_audit_lines_waiting', 'Audit lines in memory, because the file cannot be written.', [], (set) =>
    set({}, audit.waiting()),
  )
  total('dps_audit_lines_lost_total', 'Audit lines that not even memory had room for.', [], (set) =>
    set({}, audit.lost()),
  )
  const help = 'Attempts of a flood that were counted instead of logged and recorded singly.'
  total('dps_decisions_counted_total', help, ['instance', 'reason'], async (set) => {
    for (const { idScope, reason, times } of decisionsCounted()) {
      set({ instance: (await store.services.byIdScope(idScope))?.name ?? none, reason }, times)
    }
  })

  gauge('dps_connections', 'Connections, by how far they have come.', ['listener', 'stage'], (set) => {
    for (const [listener, { connections: stages }] of Object.entries(connections())) {
      for (const [stage, count] of Object.entries(stages)) set({ listener, stage }, count)
    }
  })
  total('dps_connections_turned_away_total', 'Connections refused, displaced or cut.', ['listener', 'bound'], (set) => {
    for (const [listener, { turnedAway }] of Object.entries(connections())) {
      for (const [bound, times] of turnedAway) set({ listener, bound }, times)
    }
  })
  gauge('dps_connection_memory_bytes', 'What all connections together hold.', [], (set) => set({}, memory.held()))
  total('dps_connections_cut_for_memory_total', 'By which bound: of all, or of each.', ['bound'], (set) => {
    for (const [bound, times] of Object.entries(memory.cuts())) set({ bound }, times)
  })
  gauge('dps_connection_origins', 'Addresses and networks that are remembered.', ['listener'], (set) => {
    for (const [listener, { origins }] of Object.entries(connections())) set({ listener }, origins)
  })

  let counts: { readonly at: number; readonly of: readonly (readonly [string, string, number])[] } | undefined
  const counted = async () => {
    if (!counts || monotonic() - counts.at > countedFor) counts = { at: monotonic(), of: await countRecords(store) }
    return counts.of
  }
  gauge('dps_enrollments', 'Enrollments and enrollment groups.', ['instance', 'type'], async (set) => {
    for (const [instance, type, count] of await counted()) if (type !== 'Registration') set({ instance, type }, count)
  })
  gauge('dps_registrations', 'Devices that registered.', ['instance'], async (set) => {
    for (const [instance, type, count] of await counted()) if (type === 'Registration') set({ instance }, count)
  })
  gauge('dps_operations_in_flight', 'Registrations that are running or wait for their turn.', [], (set) =>
    set({}, running()),
  )
}

async function countRecords(store: Reader): Promise<(readonly [string, string, number])[]> {
  const rows: (readonly [string, string, number])[] = []
  for (const { idScope, name } of await store.services.all()) {
    rows.push([name, 'IndividualEnrollment', await store.enrollments.count(idScope)])
    rows.push([name, 'EnrollmentGroup', await store.enrollmentGroups.count(idScope)])
    rows.push([name, 'Registration', await store.registrations.count(idScope)])
  }
  return rows
}
