import { openNodeRunner } from '../sdk/runner.ts'
import { newKey } from '../test/fixtures/enrollments.ts'
import type { Service } from '../test/fixtures/service.ts'
import { lacking, softHsmPackages, tpmTokenPackages } from '../test/hardware/debian-files.ts'
import { openSoftHsm } from '../test/hardware/soft-hsm.ts'
import type { Token } from '../test/hardware/token.ts'
import { openTpmToken } from '../test/hardware/tpm-token.ts'
import { provision, type Enrolling } from './provision.ts'
import { notShown, type Row } from './table.ts'

const names = { x509: 'X.509, key in SoftHSM', symmetric: 'symmetric key in SoftHSM', tpm: 'X.509, key in a TPM' }

/** Devices whose key is in a security module and signs there: SoftHSM 2, and a software TPM behind tpm2-pkcs11. */
export async function hardwareRows(service: Service): Promise<Row[]> {
  return [...(await softHsmRows(service)), ...(await tpmRows(service))]
}

async function softHsmRows(service: Service): Promise<Row[]> {
  const missing = lacking(softHsmPackages)
  if (missing.length > 0) return [notShown(names.x509, missing), notShown(names.symmetric, missing)]
  await using token = await openSoftHsm()
  return [
    await show(service, token, keyPair(names.x509, token)),
    await show(service, token, symmetricKey(names.symmetric, token)),
  ]
}

async function tpmRows(service: Service): Promise<Row[]> {
  const missing = lacking(tpmTokenPackages)
  if (missing.length > 0) return [notShown(names.tpm, missing)]
  await using token = await openTpmToken('127.0.0.1')
  return [await show(service, token, keyPair(names.tpm, token))]
}

function show(service: Service, { environment }: Token, enrolling: Enrolling): Promise<Row> {
  return provision(enrolling, 'mqtt', service, {
    // The device starts when its key is there: a module may look only once which keys it has.
    run: async (job) => {
      await using device = await openNodeRunner({ caFile: service.caFile, environment })
      return await device.run(job)
    },
  })
}

function keyPair(name: string, token: Token): Enrolling {
  return {
    name,
    prepare: async (registrationId) => {
      const key = await token.makeKeyPair(registrationId)
      const certificate = await token.selfSigned(registrationId)
      const attestation = { type: 'x509', x509: { clientCertificates: { primary: { certificate } } } }
      return { ...individual(registrationId, attestation), credential: { certificate, key } }
    },
  }
}

function symmetricKey(name: string, token: Token): Enrolling {
  return {
    name,
    prepare: async (registrationId) => {
      const primaryKey = newKey()
      const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey: newKey() } }
      const hmac = await token.holdKey(registrationId, primaryKey)
      return { ...individual(registrationId, attestation), credential: { hmac } }
    },
  }
}

function individual(registrationId: string, attestation: object) {
  return { path: `/enrollments/${registrationId}`, body: { registrationId, attestation } }
}
