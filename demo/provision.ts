import { randomUUID } from 'node:crypto'
import type { DeviceRunner, DeviceTransport } from '../sdk/runner.ts'
import type { Enrolled } from '../test/fixtures/enrollments.ts'
import type { Service } from '../test/fixtures/service.ts'
import type { Row } from './table.ts'

/** A kind of attestation, and how a device of it is enrolled. */
export interface Enrolling {
  readonly name: string
  readonly prepare: (registrationId: string) => Promise<Pick<Enrolled, 'path' | 'body' | 'credential'>>
}

const telemetryInterval = 30

/** Enroll a new device, let it provision itself with the SDK, connect to the hub it was given, and read its twin there. */
export async function provision(
  kind: Enrolling,
  transport: DeviceTransport,
  service: Service,
  devices: Pick<DeviceRunner, 'run'>,
): Promise<Row> {
  const device = `device-${randomUUID().slice(0, 8)}`
  const { path, body, credential } = await kind.prepare(device)
  await service.operate('PUT', path, { ...body, initialTwin: { properties: { desired: { telemetryInterval } } } })
  const result = await devices.run({
    host: service.deviceHost,
    idScope: service.idScope,
    registrationId: device,
    transport,
    attestation: credential,
    connect: true,
    hubTransport: transport.endsWith('-ws') ? 'mqtt-ws' : 'mqtt',
  })
  const read = result.twin?.desired['telemetryInterval']
  return {
    device,
    attestation: kind.name,
    transport,
    hub: result.assignedHub ?? '',
    milliseconds: Math.round(result.milliseconds),
    twin: `telemetryInterval ${read}`,
    problem: result.ok && read === telemetryInterval ? undefined : (result.error?.message ?? `the twin says ${read}`),
  }
}
