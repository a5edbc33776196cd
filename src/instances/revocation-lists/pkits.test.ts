import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { attestWith, instanceWithCas } from '../../../test/fixtures/instance-with-cas.ts'
import { prover } from '../../attestation/attestation-kind.ts'
import { x509, type CertificatePolicy } from '../../attestation/x509.ts'
import type { IdScope } from '../../model/identifiers.ts'
import { Refusal } from '../../model/refusal.ts'
import { openSqliteStore } from '../../store/sqlite-store.ts'
import { importRevocationList } from '../revocation-lists.ts'

interface Vector {
  readonly name: string
  /** The anchor first. */
  readonly path: readonly string[]
  readonly lists: readonly string[]
  readonly valid: boolean
}

/**
 * What NIST calls invalid because none of the lists speaks of the certificate, though no list was refused when it was imported:
 * where none is required, there is nothing to refuse.
 */
const unspoken = '4.4.1 4.4.21 4.14.3 4.14.8 4.14.9 4.14.11 4.14.12 4.14.17 4.14.26 4.14.27 4.14.35'.split(' ')

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
const kindsOf = (revocation: CertificatePolicy['revocation']) => ({
  x509: prover(x509(store, clock, { dates: 'enforce', admits: new Set(['ca-as-device']), revocation })),
})
let asNist = 0
const letIn: string[] = []

describe('NIST PKITS, with the lists imported', () => {
  for (const [index, vector] of vectors.entries()) {
    const [number = ''] = vector.name.split(' ')
    if (!sections.some((section) => number === section || number.startsWith(`${section}.`))) continue
    test(`${vector.name}: ${vector.valid ? 'let in' : 'refused'}`, async () => {
      const [anchor, ...between] = vector.path.slice(0, -1)
      const uploaded = [...new Set(between)].map(certificate)
      const service = await instanceWithCas(store, index, certificate(anchor!), uploaded)
      const refusedLists = await importAll(vector, service.idScope)
      const chain = vector.path.slice(1).toReversed().map(certificate)
      const attempt = (revocation: CertificatePolicy['revocation']) =>
        attestWith(chain, service, kindsOf(revocation), store)
      assert.equal((await attempt('required')) === 'attested', vector.valid)
      asNist++
      const listed = await attempt('listed')
      if (vector.valid) assert.equal(listed, 'attested')
      else if (listed === 'attested' && refusedLists === 0) letIn.push(number)
    })
  }
})

test('every test on lists is there; where no list is required, none is let in that a list revokes which was taken', () => {
  assert.equal(asNist, 76)
  assert.deepEqual(letIn, unspoken)
})

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

function certificate(name: string): Buffer {
  return Buffer.from(certificates[name]!, 'base64')
}

function vectorFile(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../../test/vectors/pkits', name), 'utf8'))
}
