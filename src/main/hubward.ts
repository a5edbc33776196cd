import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { Allocation } from '../allocation/allocate.ts'
import type { AllocationPolicy } from '../allocation/allocation.ts'
import { byType } from '../attestation/attestation-kind.ts'
import { failureBudget } from '../attestation/failure-budget.ts'
import { openBundledHub } from '../bundled-hub/bundled-hub.ts'
import { ordinaryRules } from '../enrollment/enrollment-rules.ts'
import { certificateExpiries } from '../instances/certificate-expiry.ts'
import { httpsTransport } from '../hub/https-transport.ts'
import { iotHub } from '../hub/iot-hub.ts'
import { admitsAddress } from '../model/ip-filter.ts'
import { limitsOf, presets } from '../model/limits.ts'
import type { LinkedHub } from '../model/service.ts'
import type { Clocks } from '../base/time.ts'
import type { RegistrationDependencies } from '../registration/dependencies.ts'
import { decisionJournal } from '../decisions/journal.ts'
import { registrar } from '../registration/registrar.ts'
import { cachedStore } from '../store/cached-store.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { deviceAmqp } from '../transport/amqp.ts'
import { largestRequest, type DeviceTransport } from '../transport/device-transport.ts'
import { deviceHttps } from '../transport/https.ts'
import { openListener, type Listener } from '../transport/device-listener.ts'
import { bearerAuthority, dataAuthority } from '../access/authority.ts'
import { isAudited } from '../transport/service-api/audit.ts'
import { decisionRoutes } from '../transport/management-api/decision-routes.ts'
import { hubRoutes } from '../transport/management-api/hub-routes.ts'
import { healthRoutes } from '../transport/management-api/health-routes.ts'
import { limitRoutes } from '../transport/management-api/limit-routes.ts'
import { metrics } from '../transport/management-api/metrics.ts'
import type { ManagementListener } from '../transport/management-api/management-listener.ts'
import { throttle } from '../transport/throttle.ts'
import { usageRoutes } from '../transport/management-api/usage-routes.ts'
import { whatIfRoutes } from '../transport/management-api/what-if-routes.ts'
import { deviceMqtt } from '../transport/mqtt.ts'
import { sharedAmqp } from '../transport/shared-amqp.ts'
import { serviceApi } from '../transport/service-api/service-api.ts'
import type { AmqpLimits } from '../wire/amqp/service.ts'
import type { MqttLimits } from '../wire/mqtt/connection.ts'
import { openAuditFile } from './audit-file.ts'
import { auditLog } from './audit-log.ts'
import { machineClocks, watchClock } from './clocks.ts'
import type { Configuration } from './configuration.ts'
import {
  auditRetention,
  certificateFor,
  certificatePolicy,
  decisionRetention,
  hubCa,
  managementEndpoint,
  proxiesOf,
} from './from-configuration.ts'
import { connectionMemory } from './connection-memory.ts'
import { openDoors } from './doors.ts'
import { keyFetcher } from './fetch-keys.ts'
import { listFetcher } from './fetch-list.ts'
import { makeFolder } from './files.ts'
import { firstInstance, type FirstInstance } from '../instances/first-instance.ts'
import { hubTransport } from './hub-transport.ts'
import { probeLinks, watchedHubs } from './hub-links.ts'
import { keepPrivate } from './keep-private.ts'
import { allocationOffers, attestationOffers } from './kinds.ts'
import { auditTrouble, databaseLog, isToldByStore, logDecision } from './log.ts'
import { administratorToken, openManagement, watchCertificates } from './management.ts'
import type { AllocationOffer, AttestationOffer } from './offers.ts'
import { allowedFor } from './outbound.ts'
import { sampledLog } from './sampled-log.ts'

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

/** Milliseconds for which this node may not see what another one wrote. */
const cacheFreshFor = 5000
const largestHubRequest = 1 << 20
/** A hub takes telemetry of up to 256 KiB. [service-wire §13.2] */
const mqttLimits: MqttLimits = { packetBytes: 260 * 1024, connectTimeout: 30_000, idleTimeout: 5 * 60_000 }

/** The figures of the real service; a Java TPM takes up to 60 s to find its token. [device-wire §4.1, §4.4] */
const amqpLimits: AmqpLimits = {
  frameBytes: 65_536,
  messageBytes: 65_536,
  openTimeout: 90_000,
  idleTimeout: 240_000,
}

/** What the service is put together from, where that is not what `npm start` takes. */
export interface Composition {
  readonly attestation?: readonly AttestationOffer[]
  readonly allocation?: readonly AllocationOffer[]
  readonly clocks?: Clocks
  /** Hears of every step of a placement before the next is taken. */
  readonly onStep?: RegistrationDependencies['onStep']
}

/** Put the service together and open it. */
export async function openHubward(
  configuration: Configuration,
  log: Logger,
  composition: Composition = {},
): Promise<Hubward> {
  const { clocks = machineClocks, onStep } = composition
  const { hubNames, deviceHost, listen } = configuration
  const { clock, monotonic } = clocks
  const data = resolve(configuration.data)
  makeFolder(data)
  for (const warning of keepPrivate(data)) log.warn(warning)

  await using opened = new AsyncDisposableStack()
  const sampled = opened.use(sampledLog(log, monotonic, configuration.refusalsTold))
  const onFault = (fault: unknown, trackingId?: string) => {
    if (!isToldByStore(fault)) sampled.fault(fault, trackingId)
  }
  const doors = opened.use(openDoors(configuration, log, monotonic))
  const memory = connectionMemory(configuration, log, monotonic)
  const database = { tell: databaseLog(log), acceptLoss: configuration.acceptDataLoss === 'yes' }
  const store = opened.use(cachedStore(openSqliteStore(data, database), monotonic, cacheFreshFor))
  const audit = opened.use(
    auditLog(openAuditFile(data, auditRetention(configuration), clocks), auditTrouble(log, data)),
  )
  const intend = configuration.audit === 'required' ? audit.intend : undefined
  const usualLimits = presets[configuration.limits]
  const limits = throttle((service) => limitsOf(service, usualLimits), store, monotonic)
  const journal = opened.use(
    decisionJournal({
      ...clocks,
      store,
      retention: decisionRetention(configuration),
      toldPerMinute: configuration.refusalsTold,
      onTold: (decision) => logDecision(log, decision),
      onFault,
    }),
  )
  const bundledHub = opened.use(
    await openBundledHub({ directory: data, hostNames: hubNames, clock, onFault, database }),
  )
  const hubConnectionStrings = hubNames.map((hostName) => bundledHub.connectionString(hostName))
  const first = await firstInstance(store, deviceHost, bundledHub, clock)

  const guard = watchedHubs(configuration, log, clocks)
  const transport = guard.watch(
    hubTransport(
      bundledHub,
      opened.use(httpsTransport(hubCa(configuration), allowedFor(configuration, 'hubNetworks'))),
    ),
  )
  const hubs = (link: LinkedHub, until: number) =>
    iotHub(link, transport, clock, { until, monotonic, random: Math.random })

  const attestationParts = {
    ...clocks,
    store,
    budget: failureBudget(configuration.groupTrials, monotonic),
    certificates: certificatePolicy(configuration, log),
  }
  const attestation = byType(
    await Promise.all((composition.attestation ?? attestationOffers).map((offer) => offer(attestationParts))),
  )
  const policies: Record<string, AllocationPolicy> = {}
  const offered = { kinds: attestation, policies }
  for (const offer of composition.allocation ?? allocationOffers) {
    const policy = offer({
      configuration,
      data,
      monotonic,
      latencyOf: ({ hostName }) => guard.latency(hostName),
      offered: () => offered,
      others: { ...policies },
      closing: opened,
    })
    policies[policy.name] = policy
  }
  const avoids = configuration.brokenHubs === 'avoid'
  const allocation: Allocation = {
    policies,
    broken: ({ hostName }) => (avoids ? guard.broken(hostName) : undefined),
  }
  const measures = metrics({
    ...clocks,
    store,
    running: () => register.running(),
    throttled: limits.throttled,
    hubs: guard.health,
    certificates: () => certificateExpiries(store),
    decisionsLost: journal.lost,
    decisionsCounted: journal.counted,
    connections: () => ({ device: doors.devices.counts(), management: doors.management.counts() }),
    memory,
    audit,
  })
  const register = registrar({
    ...clocks,
    store,
    attestation,
    allocation,
    hubs,
    patience: configuration.hubPatience,
    onStep,
    shortWait: configuration.shortWait,
    limits: limits.devices,
    onDecision: (decision) => {
      journal.record(decision)
      measures.decided(decision)
    },
    onFault,
  })
  opened.defer(register.idle)

  opened.use(probeLinks(store, configuration, { ...clocks, guard, transport }, onFault))
  // Before a device can ask: what was begun for it is finished first.
  await register.resume()

  const devices: DeviceTransport = {
    ...clocks,
    registrar: register,
    kinds: attestation,
    onFault,
    // A device whose hub has a queue is told to come back when it may be its turn.
    get retryAfter() {
      return Math.max(configuration.retryAfter, guard.retryAfter())
    },
    answerDelay: configuration.answerDelay,
  }
  const authority = bearerAuthority(store, clocks, keyFetcher(allowedFor(configuration, 'issuerNetworks')))
  const operators = serviceApi({
    ...clocks,
    store,
    ...offered,
    bearer: dataAuthority(authority),
    admits: (remoteAddress, service) => admitsAddress(service, remoteAddress, 'serviceApi'),
    rules: (service) => ({
      ...ordinaryRules,
      allowHttpWebhooks: configuration.webhookHttp === 'allow',
      refuseUnknownQueries: configuration.unknownQueries === 'refuse',
      limits: limitsOf(service, usualLimits),
    }),
    throttle: limits.operators,
    ...(intend && { intend }),
    log: {
      audit: (line) => {
        log.debug({ audit: { ...line, changes: undefined } }, line.operationName)
        if (line.principal && isAudited(line.operationName)) audit.write({ ...line, changes: line.changes?.() })
      },
      notice: (text, trackingId) => log.warn({ trackingId }, text),
      fault: onFault,
    },
  })
  const certificate = await certificateFor(configuration, data, store)
  if (certificate.warning) log.warn(certificate.warning)
  const listener = opened.use(
    await openListener({
      ...certificate,
      addresses: listen,
      ports: {
        https: { wanted: configuration.httpsPort, otherwise: configuration.httpsFallbackPort },
        mqtt: { wanted: configuration.mqttPort, otherwise: configuration.mqttFallbackPort },
        amqp: { wanted: configuration.amqpPort, otherwise: configuration.amqpFallbackPort },
      },
      admission: doors.devices,
      memory,
      isProxy: proxiesOf(configuration),
      http: [
        { owns: bundledHub.owns, handle: bundledHub.handle, largestBody: largestHubRequest },
        measures.timed('service', { ...operators, largestBody: largestRequest }),
        measures.timed('device', deviceHttps(devices)),
      ],
      mqtt: [bundledHub.mqtt, deviceMqtt(devices)],
      mqttLimits,
      amqp: sharedAmqp(bundledHub.amqp, deviceAmqp(devices)),
      amqpLimits,
      onFault,
    }),
  )
  const fetchList = listFetcher(allowedFor(configuration))
  let served = certificate
  const renewCertificate = async () => {
    const renewed = await certificateFor(configuration, data, store)
    if (renewed.certificate === served.certificate) return
    listener.renew(renewed)
    management.renew(renewed)
    served = renewed
  }
  const management: ManagementListener = opened.use(
    await openManagement({
      ...clocks,
      configuration,
      store,
      log,
      sampled,
      authority,
      audit: audit.write,
      ...(intend && { intend }),
      certificate,
      admission: doors.management,
      memory,
      hubs: (link) => hubs(link, monotonic() + configuration.hubPatience),
      fetchList,
      limits: (service) => limitsOf(service, usualLimits),
      routes: [
        ...decisionRoutes({ store, written: journal.written }),
        ...whatIfRoutes({ ...clocks, store, attestation, allocation }),
        ...usageRoutes(store, clock),
        ...limitRoutes(store, usualLimits),
        ...healthRoutes(
          [
            { otherwise: 'the store cannot be read', attempt: store.services.all },
            { otherwise: 'the store cannot be written', attempt: () => store.transact(() => {}) },
            { otherwise: 'the bundled hub cannot be written', attempt: bundledHub.tryWrite },
          ],
          monotonic,
          onFault,
        ),
        ...measures.routes,
        ...hubRoutes({ store, attestation, hubs, monotonic, registrar: register, health: guard.health }),
      ],
      http: [],
      onHostNames: renewCertificate,
    }),
  )
  opened.use(watchClock(clocks, log))
  opened.use(watchCertificates({ store, clock, log, fetchList }, renewCertificate))
  const token = await administratorToken(store, configuration, clock)

  const open = opened.move()
  return {
    first,
    ports: listener.ports,
    management: { endpoint: managementEndpoint(configuration, management), token },
    caFile: certificate.caFile,
    hubConnectionStrings,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
