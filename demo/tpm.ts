import { openNodeRunner, type DeviceTransport } from '../sdk/runner.ts'
import type { Service } from '../test/fixtures/service.ts'
import { hasSoftwareTpm, startSoftwareTpm } from '../test/tpm/software-tpm.ts'
import { openTpmDevice } from '../test/tpm/tpm-device.ts'
import { provision, type Enrolling } from './provision.ts'
import { notShown, type Row } from './table.ts'

/** MQTT has no room for the challenge. [device-wire §5] */
const transports: readonly DeviceTransport[] = ['http', 'amqp', 'amqp-ws']

/**
 * Devices whose proof is a TPM: a real one in software. One TPM has one key slot, so they come one after another. Without
 * swtpm there is one row that says what to install; it is not a failure of the service.
 */
export async function tpmRows(service: Service): Promise<Row[]> {
  if (!hasSoftwareTpm()) return [notShown('TPM', ['swtpm'])]
  await using tpm = await startSoftwareTpm('127.0.0.1')
  await using devices = await openNodeRunner({ caFile: service.caFile })
  const endorsementKey = await readEndorsementKey(tpm)
  const enrolling: Enrolling = {
    name: 'TPM',
    prepare: async (registrationId) => ({
      path: `/enrollments/${registrationId}`,
      body: { registrationId, attestation: { type: 'tpm', tpm: { endorsementKey } } },
      credential: { tpm: { host: tpm.host, port: tpm.port } },
    }),
  }
  const rows: Row[] = []
  for (const transport of transports) rows.push(await provision(enrolling, transport, service, devices))
  return rows
}

async function readEndorsementKey(tpm: { host: string; port: number }): Promise<string> {
  using device = await openTpmDevice(tpm)
  return device.endorsementKey.toString('base64')
}
