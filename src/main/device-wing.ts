import { ordinaryRules } from '../enrollment/enrollment-rules.ts'
import { admitsAddress } from '../model/ip-filter.ts'
import { dataAuthority } from '../access/authority.ts'
import type { Authority } from '../access/principal.ts'
import { deviceAmqp } from '../transport/amqp.ts'
import { openListener, type Listener } from '../transport/device-listener.ts'
import { largestRequest, type DeviceTransport } from '../transport/device-transport.ts'
import { deviceHttps } from '../transport/https.ts'
import { deviceMqtt } from '../transport/mqtt.ts'
import { isAudited } from '../transport/service-api/audit.ts'
import { serviceApi } from '../transport/service-api/service-api.ts'
import { sharedAmqp } from '../transport/shared-amqp.ts'
import { unread } from '../transport/unread/unread.ts'
import type { AmqpLimits } from '../wire/amqp/service.ts'
import type { HttpApi } from '../wire/http.ts'
import type { MqttLimits } from '../wire/mqtt/connection.ts'
import type { ServerCertificate } from './certificates.ts'
import { auditIntent, type Foundation } from './foundation.ts'
import { proxiesOf } from './from-configuration.ts'
import type { HubWing } from './hub-wing.ts'
import type { RegistrationWing } from './registration-wing.ts'

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

/** Open the ports that devices know: the device endpoint and the bundled hub on all of them, the service API over HTTPS. */
export async function openDeviceWing(
  foundation: Foundation,
  { bundled, guard }: HubWing,
  registration: RegistrationWing,
  authority: Authority,
  certificate: ServerCertificate,
): Promise<Listener> {
  const { configuration, doors, memory, onFault, closing } = foundation
  const { metrics } = registration
  const devices = deviceTransport(foundation, guard, registration)
  const operators = operatorsApi(foundation, registration, authority)
  return closing.use(
    await openListener({
      ...certificate,
      addresses: configuration.listen,
      ports: {
        https: { wanted: configuration.httpsPort, otherwise: configuration.httpsFallbackPort },
        mqtt: { wanted: configuration.mqttPort, otherwise: configuration.mqttFallbackPort },
        amqp: { wanted: configuration.amqpPort, otherwise: configuration.amqpFallbackPort },
      },
      admission: doors.devices,
      memory,
      isProxy: proxiesOf(configuration),
      http: [
        { owns: bundled.owns, handle: bundled.handle, largestBody: largestHubRequest },
        metrics.timed('service', { ...operators, largestBody: largestRequest }),
        metrics.timed('device', deviceHttps(devices)),
      ],
      mqtt: [bundled.mqtt, deviceMqtt(devices)],
      mqttLimits,
      amqp: sharedAmqp(bundled.amqp, deviceAmqp(devices)),
      amqpLimits,
      unread: unread(registration.registrar),
      onFault,
    }),
  )
}

function deviceTransport(
  { configuration, clocks, onFault }: Foundation,
  guard: HubWing['guard'],
  { registrar, attestation }: RegistrationWing,
): DeviceTransport {
  return {
    ...clocks,
    registrar,
    kinds: attestation,
    onFault,
    // A device whose hub has a queue is told to come back when it may be its turn.
    get retryAfter() {
      return Math.max(configuration.retryAfter, guard.retryAfter())
    },
    answerDelay: configuration.answerDelay,
  }
}

function operatorsApi(
  foundation: Foundation,
  { attestation, allocation, throttle }: RegistrationWing,
  authority: Authority,
): HttpApi {
  const { configuration, clocks, store, log, audit, onFault } = foundation
  return serviceApi({
    ...clocks,
    store,
    kinds: attestation,
    policies: allocation.policies,
    bearer: dataAuthority(authority),
    admits: (remoteAddress, service) => admitsAddress(service, remoteAddress, 'serviceApi'),
    rules: (service) => ({
      ...ordinaryRules,
      allowHttpWebhooks: configuration.webhookHttp === 'allow',
      refuseUnknownQueries: configuration.unknownQueries === 'refuse',
      limits: foundation.limitsFor(service),
    }),
    throttle: throttle.operators,
    ...auditIntent(foundation),
    log: {
      audit: (line) => {
        log.debug({ audit: { ...line, changes: undefined } }, line.operationName)
        if (line.principal && isAudited(line.operationName)) audit.write({ ...line, changes: line.changes?.() })
      },
      notice: (text, trackingId) => log.warn({ trackingId }, text),
      fault: onFault,
    },
  })
}
