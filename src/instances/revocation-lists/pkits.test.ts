import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { attest } from '../../attestation/attest.ts'
import { prover } from '../../attestation/attestation-kind.ts'
import { x509, type CertificatePolicy } from '../../attestation/x509.ts'
import { newEtag, type IdScope } from '../../model/identifiers.ts'
import { Refusal } from '../../model/refusal.ts'
import type { ProvisioningService } from '../../model/service.ts'
import { timestamp } from '../../base/time.ts'
import { openSqliteStore } from '../../store/sqlite-store.ts'
import { readCertificate, type CertificateRecord } from '../../wire/certificate.ts'
import { fieldsOf } from '../../wire/x509/certificate-fields.ts'
import { certificateOf } from '../../wire/x509/known-certificates.ts'
import { commonName } from '../../wire/x509/name.ts'
import { importRevocationList } from '../revocation-lists.ts'
import { asIdScope, asRegistrationId } from '../../../test/fixtures/identifiers.ts'
import { asPresented } from '../../../test/fixtures/shapes.ts'

interface Vector {
  readonly name: string
  /** The anchor first. */
  readonly path: readonly string[]
  readonly lists: readonly string[]
  readonly valid: boolean
}

/** What NIST calls invalid because no list says anything of the certificate that counts; a deny list has nothing to refuse then. */
const undetermined = ['4.4.1', '4.4.21', '4.14.3', '4.14.8', '4.14.9', '4.14.11', '4.14.12', '4.14.17', '4.14.27']
/** Delta lists are not taken: what a base list revokes stays revoked until a complete one without it is imported. */
const onHold = ['4.15.5']

const sections = ['4.4', '4.5', '4.7.4', '4.7.5', '4.14', '4.15']
const vectors = vectorFile('vectors.json') as readonly Vector[]
const certificates = vectorFile('certificates.json') as Readonly<Record<string, string>>
const lists = vectorFile('lists.json') as Readonly<Record<string, string>>

const folder = mkdtempSync(join(tmpdir(), 'hubward-pkits-'))
const store = openSqliteStore(folder)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const clock = () => Date.UTC(2026, 0, 1)
// Some of the paths end at a CA, which RFC 5280 does not mind.
const policy: CertificatePolicy = { dates: 'enforce', admits: new Set(['ca-as-device']) }
const kinds = { x509: prover(x509(store, clock, policy)) }
const counts = { asNist: 0, toldAtImport: 0, undetermined: 0, onHold: 0 }

describe('NIST PKITS, with the lists imported', () => {
  for (const [index, vector] of vectors.entries()) {
    const [number = ''] = vector.name.split(' ')
    if (!sections.some((section) => number === section || number.startsWith(`${section}.`))) continue
    test(`${vector.name}: ${vector.valid ? 'let in' : 'not let in unknowingly'}`, async () => {
      const service = await instanceOf(vector, index)
      const refusedLists = await importAll(vector, service.idScope)
      const device = await attempt(vector, service)
      counts[judged(number, vector, device, refusedLists)]++
    })
  }
})

after(() => {
  const { asNist, toldAtImport } = counts
  const told = `${asNist} as NIST has it, ${toldAtImport} whose list is refused when it is imported`
  process.stdout.write(`PKITS with lists: ${told}, ${counts.undetermined} undetermined, ${counts.onHold} on hold\n`)
})

function judged(number: string, { valid }: Vector, device: string, refusedLists: number): keyof typeof counts {
  if (valid === (device === 'attested')) return 'asNist'
  if (onHold.includes(number)) {
    assert.equal(device, 'CertificateRevoked')
    return 'onHold'
  }
  assert.equal(device, 'attested')
  if (refusedLists > 0) return 'toldAtImport'
  assert.ok(undetermined.includes(number), 'a list was taken, and what it revokes was let in')
  return 'undetermined'
}

/** An instance with a group of the anchor, to which the CAs between are uploaded. */
async function instanceOf({ path }: Vector, index: number): Promise<ProvisioningService> {
  const now = timestamp(clock())
  const dates = { createdDateTimeUtc: now, lastUpdatedDateTimeUtc: now }
  const service: ProvisioningService = {
    idScope: asIdScope(`0ne${String(index).padStart(8, '0')}`),
    name: `pkits-${index}`,
    hostNames: [`pkits-${index}.example`],
    allocationPolicy: 'hashed',
    createdDateTimeUtc: now,
  }
  const [anchor, ...between] = path.slice(0, -1)
  await store.transact((write) => {
    write.services.create(service)
    write.enrollments.create(service.idScope, {
      kind: 'group',
      enrollmentGroupId: 'pkits',
      attestation: { type: 'x509', of: 'signingCertificates', primary: recordOf(anchor!) },
      provisioningStatus: 'enabled',
      etag: newEtag(),
      ...dates,
    })
    for (const name of new Set(between)) {
      const certificate = { ...recordOf(name), name, isVerified: false, etag: newEtag(), ...dates }
      write.caCertificates.put(service.idScope, certificate)
    }
  })
  return service
}

/** How many of the lists were refused. */
async function importAll(vector: Vector, idScope: IdScope): Promise<number> {
  let refused = 0
  for (const name of new Set(vector.lists)) {
    try {
      await importRevocationList(name, Buffer.from(lists[name]!, 'base64'), undefined, { idScope, store, clock })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      refused++
    }
  }
  return refused
}

async function attempt({ path }: Vector, service: ProvisioningService): Promise<string> {
  const chain = path
    .slice(1)
    .toReversed()
    .map((name) => Buffer.from(certificates[name]!, 'base64'))
  const registrationId = asRegistrationId(commonName(fieldsOf(certificateOf(chain[0]!)).subject)!)
  const presented = asPresented({
    service,
    registrationId,
    credential: { kind: 'certificate', chain },
    apiVersion: '2021-06-01',
    protocol: 'Http',
    trackingId: '',
    remoteAddress: '127.0.0.1',
    trail: { note: () => {}, end: () => {} },
  })
  try {
    const { is } = await attest(presented, kinds, store)
    return is
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return error.reason
  }
}

function recordOf(name: string): CertificateRecord {
  const record = readCertificate(Buffer.from(certificates[name]!, 'base64'))
  assert.ok(record, name)
  return record
}

function vectorFile(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../../test/vectors/pkits', name), 'utf8'))
}
