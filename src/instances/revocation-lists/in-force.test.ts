import 'reflect-metadata'
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as x509 from '@peculiar/x509'
import { createRoot, cRLSign, inDays, type Authority } from '../../../test/fixtures/certificates.ts'
import { attestWith, instanceWithCas } from '../../../test/fixtures/instance-with-cas.ts'
import {
  createRevocationList,
  issuingDistributionPoint,
  type ListOptions,
} from '../../../test/fixtures/revocation-list.ts'
import { prover } from '../../attestation/attestation-kind.ts'
import { x509 as certificateKind, type CertificatePolicy } from '../../attestation/x509.ts'
import { openSqliteStore } from '../../store/sqlite-store.ts'
import { deleteRevocationList, importRevocationList } from '../revocation-lists.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-in-force-'))
const store = openSqliteStore(folder)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

let instances = 0
const der = (pem: string) => new X509Certificate(pem).raw
const serialOf = (pem: string) => new X509Certificate(pem).serialNumber

/** An instance with a group of this CA, to which the others are uploaded. */
async function plantOf(anchor: Authority, ...uploaded: readonly Authority[]) {
  const certificates = uploaded.map(({ certificate }) => der(certificate))
  const service = await instanceWithCas(store, ++instances, der(anchor.certificate), certificates)
  const { idScope } = service
  let now = Date.now
  return {
    at: (time: Date) => (now = () => time.getTime()),
    take: async (name: string, issuer: Authority, serials: readonly string[], options: ListOptions = {}) => {
      const list = await createRevocationList({ issuer: issuer.certificate, key: issuer.signingKey }, serials, options)
      return importRevocationList(name, Buffer.from(list), undefined, { idScope, store, clock: () => now() })
    },
    forget: (name: string) => deleteRevocationList(name, { idScope, store, clock: () => now() }),
    attest: (chain: readonly string[], revocation: CertificatePolicy['revocation'] = 'listed') => {
      const policy: CertificatePolicy = { dates: 'ignore', admits: new Set(), revocation }
      const kinds = { x509: prover(certificateKind(store, () => now(), policy)) }
      return attestWith(chain.map(der), service, kinds, store)
    },
  }
}

const hold = { reason: x509.X509CrlReason.certificateHold }
const released = { reason: x509.X509CrlReason.removeFromCRL }
const delta = (base: number) => new x509.Extension('2.5.29.27', true, Buffer.from([2, 1, base]))
const root = await createRoot('Plant')
const { certificate: leaf } = await root.issueLeaf('pump')
const serial = serialOf(leaf)

test('a delta adds to its list, releases from a hold, and is nothing once the list is as new', async () => {
  const { take, attest } = await plantOf(root)
  await take('all', root, [], { number: 1, thisUpdate: inDays(-1) })
  await take('new', root, [serial], { number: 2, extensions: [delta(1)] })
  assert.equal(await attest([leaf]), 'CertificateRevoked', 'added')
  await take('all', root, [serial], { number: 3, thisUpdate: inDays(-0.5), ...hold })
  assert.equal(await attest([leaf]), 'CertificateRevoked', 'on hold')
  await take('new', root, [serial], { number: 4, thisUpdate: inDays(-0.05), extensions: [delta(3)], ...released })
  assert.equal(await attest([leaf]), 'attested', 'released')
  await take('all', root, [serial], { number: 5, thisUpdate: inDays(-0.4), ...hold })
  assert.equal(await attest([leaf]), 'CertificateRevoked', 'on hold again, by a list that is newer than the delta')
  await take('all', root, [], { number: 6, thisUpdate: inDays(-0.3) })
  assert.equal(await attest([leaf]), 'attested')
})

test('a delta releases nothing that was revoked for good, nor by hand or by another list', async () => {
  const { take, attest, forget } = await plantOf(root)
  await take('all', root, [serial], { number: 1, thisUpdate: inDays(-1) })
  await take('new', root, [serial], { number: 2, extensions: [delta(1)], ...released })
  assert.equal(await attest([leaf]), 'CertificateRevoked')
  await forget('all')
  assert.equal(await attest([leaf]), 'attested', 'a release is no revocation')
  const users = issuingDistributionPoint('8101FF')
  await take('users', root, [serial], { number: 1, extensions: [users], ...hold })
  assert.equal(await attest([leaf]), 'CertificateRevoked', 'the delta is none of this list')
})

/** A CA whose devices name another as the issuer of their lists. */
const lister = await createRoot('Lister', { keyUsage: cRLSign })
const pointsTo = (name: string) => {
  const [set] = [Buffer.from(new x509.Name(`CN=${name}`).toArrayBuffer())]
  const directory = Buffer.concat([Buffer.of(0xa4, set!.length), set!])
  const issuer = Buffer.concat([Buffer.of(0xa2, directory.length), directory])
  const point = Buffer.concat([Buffer.of(0x30, issuer.length), issuer])
  return new x509.Extension('2.5.29.31', false, Buffer.concat([Buffer.of(0x30, point.length), point]))
}
const certificateIssuer = (name: string) => {
  const content = Buffer.from(new x509.Name(`CN=${name}`).toArrayBuffer())
  const directory = Buffer.concat([Buffer.of(0xa4, content.length), content])
  return new x509.Extension('2.5.29.29', true, Buffer.concat([Buffer.of(0x30, directory.length), directory]))
}
const indirect = issuingDistributionPoint('8401FF')

test("an indirect list revokes another issuer's certificates if they name its issuer, who is below their root", async () => {
  const below = await root.issueAuthority('Lister', { keyUsage: cRLSign })
  const pointing = await root.issueLeaf('valve', { extensions: [pointsTo('Lister')] })
  const { take, attest } = await plantOf(root, below)
  const serials = [serial, serialOf(pointing.certificate)]
  const entries = { extensions: [indirect], entryExtensions: [certificateIssuer('Plant')] }
  assert.equal((await take('lister', below, serials, entries)).revoked, 2)
  assert.equal(await attest([pointing.certificate]), 'CertificateRevoked')
  assert.equal(await attest([leaf]), 'attested', 'it names nobody else to speak for its issuer')

  const strange = await plantOf(root, lister)
  await strange.take('lister', lister, serials, entries)
  assert.equal(await strange.attest([pointing.certificate]), 'attested', 'a namesake below another root')
  assert.equal(await strange.attest([pointing.certificate], 'required'), 'CertificateRevocationUnknown')
})

test('a certificate that an indirect list has does not hide behind distribution points that cannot be read', async () => {
  const below = await root.issueAuthority('Lister', { keyUsage: cRLSign })
  const points = new x509.Extension('2.5.29.31', false, Buffer.from('3002300330', 'hex'))
  const { certificate } = await root.issueLeaf('valve', { extensions: [points] })
  const { take, attest } = await plantOf(root, below)
  assert.equal(await attest([certificate]), 'attested', 'nobody asks for them')
  const entries = { extensions: [indirect], entryExtensions: [certificateIssuer('Plant')] }
  await take('lister', below, [serialOf(certificate)], entries)
  assert.equal(await attest([certificate]), 'CertificateMalformed')
  assert.equal(await attest([certificate], 'required'), 'CertificateMalformed')
  assert.equal(await attest([leaf]), 'attested')
})

test('where lists are required, one counts while it is current, whole, signed by who was not revoked, and about the certificate', async () => {
  const line = await root.issueAuthority('Line')
  const forLists = await root.issueAuthority('Line', { keyUsage: cRLSign })
  const { certificate } = await line.issueLeaf('press')
  const { take, attest, at } = await plantOf(root, line, forLists)
  const asked = () => attest([certificate, line.certificate], 'required')
  assert.equal(await asked(), 'CertificateRevocationUnknown', 'no list at all')
  const week = { number: 1, thisUpdate: inDays(-1), nextUpdate: inDays(7) }
  await take('root', root, [], week)
  assert.equal(await asked(), 'CertificateRevocationUnknown', 'none of the line')
  await take('some', forLists, [], { ...week, extensions: [issuingDistributionPoint('83020560')] })
  assert.equal(await asked(), 'CertificateRevocationUnknown', 'for two reasons only')
  await take('rest', forLists, [], { ...week, extensions: [issuingDistributionPoint('8303071F80')] })
  assert.equal(await asked(), 'attested')
  assert.equal(await attest([certificate, line.certificate]), 'attested')
  at(inDays(8))
  assert.equal(await asked(), 'CertificateRevocationUnknown', 'out of date')
  assert.equal(await attest([certificate, line.certificate]), 'attested', 'which no list revokes, none being required')
  at(inDays(0))
  await take('root', root, [serialOf(forLists.certificate)], { ...week, number: 2, thisUpdate: inDays(-0.5) })
  assert.equal(await asked(), 'CertificateRevocationUnknown', 'the key of the lists was revoked')
})

test('a delta that is current keeps its list current, and a list that does not say until when is not', async () => {
  const { take, attest, at } = await plantOf(root)
  await take('all', root, [], { number: 1, thisUpdate: inDays(-1), nextUpdate: inDays(1) })
  await take('new', root, [], { number: 2, nextUpdate: inDays(3), extensions: [delta(1)] })
  at(inDays(2))
  assert.equal(await attest([leaf], 'required'), 'attested')
  at(inDays(4))
  assert.equal(await attest([leaf], 'required'), 'CertificateRevocationUnknown')
  const endless = await plantOf(root)
  assert.equal((await endless.take('all', root, ['0F'], { nextUpdate: 'none' })).revoked, 1)
  assert.equal(await endless.attest([leaf], 'required'), 'CertificateRevocationUnknown')
})
