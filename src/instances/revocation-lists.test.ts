import 'reflect-metadata'
import assert from 'node:assert/strict'
import { webcrypto, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import * as x509 from '@peculiar/x509'
import { inDays } from '../../test/fixtures/certificates.ts'
import {
  createRevocationList,
  createRevokingAuthority,
  issuingDistributionPoint,
  type ListOptions,
  type Revoking,
  type RevokingAuthority,
} from '../../test/fixtures/revocation-list.ts'
import { newEtag } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { RevocationList } from '../model/revocation.ts'
import { timestamp } from '../base/time.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { certificateRecord } from '../wire/certificate.ts'
import { deleteRevocationList, importRevocationList } from './revocation-lists.ts'
import { refreshRevocationLists, staleRevocationLists } from './revocation-lists/refresh.ts'
import { asIdScope } from '../../test/fixtures/identifiers.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-lists-'))
const store = openSqliteStore(folder)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

let instances = 0

/** A new instance that knows these CA certificates. */
async function instanceWith(...authorities: readonly Revoking[]) {
  const idScope = asIdScope(`0ne${String(++instances).padStart(8, '0')}`)
  const now = timestamp(Date.now())
  await store.transact((write) => {
    write.services.create({
      idScope,
      name: `plant-${instances}`,
      hostNames: [`${idScope}.example`],
      allocationPolicy: 'hashed',
      createdDateTimeUtc: now,
    })
    for (const [index, { issuer }] of authorities.entries()) {
      write.caCertificates.put(idScope, {
        ...certificateRecord(new X509Certificate(issuer)),
        name: `ca-${index}`,
        isVerified: false,
        etag: newEtag(),
        createdDateTimeUtc: now,
        lastUpdatedDateTimeUtc: now,
      })
    }
  })
  let wall = Date.now
  return {
    idScope,
    at: (clock: () => number) => (wall = clock),
    take: (name: string, list: string, url?: string): Promise<RevocationList> =>
      importRevocationList(name, Buffer.from(list), url, { idScope, store, clock: () => wall() }),
    forget: async (name: string) => {
      const [list] = (await store.revocationLists.all(idScope)).filter((one) => one.name === name)
      await deleteRevocationList(list!.name, { idScope, store, clock: () => wall() })
    },
    revoked: async () => {
      const all = await store.listedRevocations.slice(idScope, { limit: 5000 })
      return all.map(({ list, serialNumber }) => `${list}:${serialNumber}`)
    },
    lists: () => store.revocationLists.all(idScope),
  }
}

const plant = await createRevokingAuthority('CN=Plant')
const other = await createRevokingAuthority('CN=Other plant')
const namesake = await createRevokingAuthority('CN=plant')

function refused(taking: Promise<unknown>, detail: RegExp): Promise<void> {
  return assert.rejects(taking, (error) => {
    assert.ok(error instanceof Refusal, String(error))
    assert.match(error.detail, detail)
    return true
  })
}

test('only a CA certificate of the name of the list’s issuer may have signed it', async () => {
  const { take, revoked } = await instanceWith(plant, other)
  const ofOthers = await createRevocationList({ ...other, issuer: plant.issuer }, ['0A'])
  await refused(take('a', ofOthers), /^the list of CN=Plant was signed by no CA certificate of that name/)
  const unknown = await createRevocationList(plant, ['0A'], { name: 'CN=Nobody' })
  await refused(take('a', unknown), /^the list is of CN=Nobody; no CA certificate of that name is uploaded/)
  const inOtherCase = await createRevocationList(plant, ['0A'], { name: 'CN=PLANT' })
  await take('a', inOtherCase)
  assert.deepEqual(await revoked(), ['a:A'])
})

test('two CAs of one name do not share a list, nor a name for one', async () => {
  const { take, revoked, forget, lists } = await instanceWith(plant, namesake)
  await take('a', await createRevocationList(plant, ['0A', '0B']))
  await refused(
    take('a', await createRevocationList({ ...namesake, issuer: plant.issuer }, [])),
    /^a is the list of CN=Plant with another key; this one needs a name of its own/,
  )
  await take('b', await createRevocationList(namesake, ['0A']))
  assert.deepEqual((await revoked()).toSorted(), ['a:A', 'a:B', 'b:A'])
  const [one, two] = await lists()
  assert.notEqual(one!.authorities![0], two!.authorities![0])
  await forget('b')
  assert.deepEqual(await revoked(), ['a:A', 'a:B'])
})

test('a name belongs to the issuer that it was first used for', async () => {
  const { take } = await instanceWith(plant, other)
  await take('a', await createRevocationList(plant, []))
  const list = await createRevocationList(other, [])
  await refused(take('A', list), /^a is the list of CN=Plant; that of CN=Other plant needs a name of its own/)
})

test('a list has one name', async () => {
  const { take } = await instanceWith(plant)
  await take('a', await createRevocationList(plant, [], { number: 1 }))
  const later = await createRevocationList(plant, [], { number: 2 })
  await refused(take('b', later), /^the list of CN=Plant is imported as a; import it under that name/)
})

const signers: readonly [what: string, authority: Promise<RevokingAuthority>, options: ListOptions, detail: RegExp][] =
  [
    ['without cRLSign', createRevokingAuthority('CN=S', { cRLSign: false }), {}, /does not name cRLSign/],
    ['that is no CA', createRevokingAuthority('CN=S', { ca: false, cRLSign: false }), {}, /is no CA/],
    [
      'that has expired',
      createRevokingAuthority('CN=S', { notAfter: inDays(-0.5) }),
      {},
      /by a certificate that expired on/,
    ],
    [
      'of the future',
      createRevokingAuthority('CN=S', { notBefore: inDays(2) }),
      {},
      /by a certificate that is valid from/,
    ],
    [
      'whose key the list does not name',
      createRevokingAuthority('CN=S', { subjectKeyIdentifier: 'aa01' }),
      { extensions: [new x509.Extension('2.5.29.35', false, Buffer.from('30048002bb02', 'hex'))] },
      /names the key BB02; the certificates of its issuer here have others/,
    ],
  ]
for (const [what, authority, options, detail] of signers) {
  test(`a list that was signed by a certificate ${what} is refused`, async () => {
    const { take } = await instanceWith(await authority)
    await refused(take('a', await createRevocationList(await authority, ['01'], options)), detail)
  })
}

test('a list that names the key of its signer, and a signer without constraints, are taken', async () => {
  const named = await createRevokingAuthority('CN=S', { subjectKeyIdentifier: 'aa01', ca: 'absent' })
  const { take } = await instanceWith(named)
  const extensions = [new x509.Extension('2.5.29.35', false, Buffer.from('30048002aa01', 'hex'))]
  await take('a', await createRevocationList(named, ['01'], { extensions }))
})

const rsa = await webcrypto.subtle.generateKey(
  { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-1', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) },
  true,
  ['sign', 'verify'],
)

const contents: readonly [what: string, options: ListOptions, detail: RegExp][] = [
  ['signed with SHA-1', { hash: 'SHA-1' }, /signed with ecdsa-with-SHA1, which is too weak/],
  ['that has expired', { thisUpdate: inDays(-2), nextUpdate: inDays(-1) }, /the list of CN=Plant expired on/],
  ['of the future', { thisUpdate: inDays(1), nextUpdate: inDays(2) }, /which is yet to come/],
  ['that is a delta without a number', { extensions: [delta(1)] }, /a delta list without a number/],
  ['that is a delta and older than its base', { number: 1, extensions: [delta(2)] }, /with one below that of the list/],
  ['that is indirect', { extensions: [issuingDistributionPoint('8401FF')] }, /of other issuers too and needs a name/],
  ['of attribute certificates', { extensions: [issuingDistributionPoint('8501FF')] }, /attribute certificates/],
  ['of user and CA certificates only', { extensions: [issuingDistributionPoint('8101FF8201FF')] }, /users?.*only.*CAs/],
  ['with a scope of an unknown part', { extensions: [issuingDistributionPoint('8901FF')] }, /a part that is not known/],
  [
    'with an unknown critical extension',
    { extensions: [extension('1.2.3', true, '0500')] },
    /critical extension 1\.2\.3/,
  ],
  [
    'with the same extension twice',
    { number: 1, extensions: [extension('2.5.29.20', false, '020101')] },
    /stands there twice/,
  ],
  ['with a negative number', { extensions: [extension('2.5.29.20', false, '0201FF')] }, /number of the list is not/],
  ['with a number of 21 bytes', { extensions: [extension('2.5.29.20', false, `0215${'01'.repeat(21)}`)] }, /20 bytes/],
  ['with removeFromCRL', { reason: x509.X509CrlReason.removeFromCRL }, /removeFromCRL/],
  [
    "with other issuers' entries",
    { entryExtensions: [extension('2.5.29.29', true, '3000')] },
    /only indirect lists may/,
  ],
  [
    'with an unknown critical entry extension',
    { entryExtensions: [extension('1.2.3', true, '0500')] },
    /entry.*1\.2\.3/,
  ],
]
for (const [what, options, detail] of contents) {
  test(`a list ${what} is refused, and the one before it stays`, async () => {
    const { take, revoked, lists } = await instanceWith(plant)
    await take('a', await createRevocationList(plant, ['0A'], { thisUpdate: inDays(-3) }))
    const before = await lists()
    await refused(take('a', await createRevocationList(plant, ['0B'], options)), detail)
    assert.deepEqual([await lists(), await revoked()], [before, ['a:A']])
  })
}

test('a list of a serial number beyond 64 bytes is refused before anything is written', async () => {
  const { take, lists } = await instanceWith(plant)
  await refused(take('a', await createRevocationList(plant, ['01', '01'.repeat(65)])), /a serial number of 65 bytes/)
  assert.deepEqual(await lists(), [])
})

test('an RSA signature with SHA-1 is too weak as well', async () => {
  const { take } = await instanceWith(plant)
  const list = await createRevocationList({ issuer: plant.issuer, key: rsa.privateKey }, [], { hash: 'SHA-1' })
  await refused(take('a', list), /sha1WithRSAEncryption, which is too weak/)
})

const successions: readonly [what: string, first: ListOptions, second: ListOptions, detail: RegExp | undefined][] = [
  ['a later number', { number: 5 }, { number: 6 }, undefined],
  ['a number of more digits', { number: 0xff }, { number: 0x100 }, undefined],
  ['an earlier number', { number: 6 }, { number: 5 }, /has the number 5, older than 6/],
  [
    'the same number, saying something else',
    { number: 6 },
    { number: 6 },
    /the number 6, as the one before it, and says/,
  ],
  ['no number after one', { number: 6 }, {}, /has no number; the one before it has 6/],
  ['a later number and an earlier date', { number: 6 }, { number: 7, thisUpdate: inDays(-2) }, /older than/],
  ['an earlier date', {}, { thisUpdate: inDays(-2) }, /older than/],
  ['a number after none', {}, { number: 1 }, undefined],
]
for (const [what, first, second, detail] of successions) {
  test(`a list with ${what} is ${detail ? 'refused' : 'taken'}`, async () => {
    const { take, revoked } = await instanceWith(plant)
    await take('a', await createRevocationList(plant, ['0A'], { thisUpdate: inDays(-1), ...first }))
    const taking = take('a', await createRevocationList(plant, ['0B'], { thisUpdate: inDays(-0.5), ...second }))
    if (detail) await refused(taking, detail)
    else await taking
    assert.deepEqual(await revoked(), [detail ? 'a:A' : 'a:B'])
  })
}

test('the same list may be imported again', async () => {
  const { take, lists } = await instanceWith(plant)
  const list = await createRevocationList(plant, ['0A'], { number: 6 })
  await take('a', list)
  await take('a', list)
  assert.equal((await lists())[0]?.number, '6')
})

test('the scope of a list stands in its record, and a list of another scope does not take its place', async () => {
  const { take, lists } = await instanceWith(plant)
  const uri = Buffer.from('http://a.example/u.crl')
  const point = Buffer.concat([Buffer.of(0xa0, uri.length + 4, 0xa0, uri.length + 2, 0x86, uri.length), uri])
  const users = issuingDistributionPoint(`${point.toString('hex')}8101FF`)
  const compromised = issuingDistributionPoint('83020560')
  await take('users', await createRevocationList(plant, ['0A'], { extensions: [users] }))
  await take('some', await createRevocationList(plant, ['0A'], { extensions: [compromised] }))
  const later = { thisUpdate: inDays(-0.01) }
  await refused(
    take('users', await createRevocationList(plant, [], later)),
    /^users is a list about certificates that are no CAs of http:\/\/a.example\/u.crl; this one is about all certificates/,
  )
  assert.deepEqual(
    (await lists()).map(({ scope }) => scope),
    [
      { certificates: 'all', reasons: ['keyCompromise', 'cACompromise'] },
      {
        certificates: 'user',
        distributionPoint: 'http://a.example/u.crl',
        points: ['uri:http://a.example/u.crl'],
      },
    ],
  )
})

test('a renewed certificate keeps the list; a new key needs one of its own, unless the CA ties the keys', async () => {
  const renewed = await createRevokingAuthority('CN=Plant', { keys: plant.keys })
  const rekeyed = await createRevokingAuthority('CN=Plant')
  const oldWithNew = await createRevokingAuthority('CN=Plant', { keys: plant.keys, signer: rekeyed })
  const { take } = await instanceWith(plant, renewed, rekeyed)
  await take('a', await createRevocationList(plant, ['0A'], { number: 1 }))
  await take('a', await createRevocationList(renewed, ['0A'], { number: 2 }))
  await refused(take('a', await createRevocationList(rekeyed, [], { number: 3 })), /with another key/)

  const tied = await instanceWith(rekeyed, oldWithNew)
  const { authorities } = await tied.take('a', await createRevocationList(rekeyed, ['0A'], { number: 3 }))
  assert.equal(authorities?.length, 2, 'the new key and the old one')
  assert.deepEqual(await tied.revoked(), ['a:A', 'a:A'])
})

test('two CAs of one name do not share a list when one issuer certified both, unless one of the keys is for lists only', async () => {
  const root = await createRevokingAuthority('CN=Root')
  const one = await createRevokingAuthority('CN=Line', { signer: root })
  const two = await createRevokingAuthority('CN=Line', { signer: root })
  const { take, revoked } = await instanceWith(root, one, two)
  const { authorities } = await take('a', await createRevocationList(one, ['0A'], { number: 1 }))
  assert.equal(authorities?.length, 1)
  await refused(take('a', await createRevocationList(two, [], { number: 2 })), /CN=Line with another key/)
  assert.deepEqual(await revoked(), ['a:A'])

  const forLists = await createRevokingAuthority('CN=Line', { signer: root, keyCertSign: false, ca: 'absent' })
  const separate = await instanceWith(root, one, forLists)
  assert.equal((await separate.take('a', await createRevocationList(forLists, ['0A']))).authorities?.length, 2)
})

test('a list that is fetched again goes by the rules of an import, and what became of it is said without secrets', async () => {
  const { take, revoked, lists, idScope } = await instanceWith(plant)
  const url = 'http://crl.example/plant.crl?sig=secret'
  await take('a', await createRevocationList(plant, ['0A'], { number: 2, thisUpdate: inDays(-1) }), url)
  const soon = Date.now() + 3_700_000
  const owner = { store, clock: () => soon }
  const fetched = (list: string) => refreshRevocationLists(owner, async () => Buffer.from(list))
  const ofOthers = await createRevocationList({ ...other, issuer: plant.issuer }, [], { number: 3 })
  assert.match(
    (await fetched(ofOthers)).join(),
    /^plant-\d+: the revocation list a could not be renewed from http:\/\/crl\.example\/plant\.crl\?\*{4}: the list of CN=Plant was signed by no/,
  )
  assert.match((await fetched(await createRevocationList(plant, [], { number: 1 }))).join(), /older than 2/)
  assert.deepEqual(await revoked(), ['a:A'])
  assert.deepEqual(await fetched(await createRevocationList(plant, ['0B'], { number: 3 })), [])
  assert.deepEqual(await revoked(), ['a:B'])
  assert.deepEqual(await staleRevocationLists({ store }, soon), [])
  const late = await staleRevocationLists({ store }, inDays(30).getTime())
  assert.ok(
    late.some((text) => /the revocation list a should have been followed by another on .* stays revoked/.test(text)),
  )
  assert.equal((await lists()).length, 1)
  await store.transact((write) => write.services.delete(idScope))
  assert.deepEqual([await lists(), await revoked()], [[], []])
})

test('an import that was cut off is told, has revoked too much and never too little, and is completed by another', async () => {
  const { take, idScope, revoked } = await instanceWith(plant)
  const serials = Array.from({ length: 1200 }, (_, index) => (index + 0x1000).toString(16))
  await take('a', await createRevocationList(plant, ['0A', ...serials.slice(0, 600)], { number: 1 }))
  let left = 2
  const cut = {
    ...store,
    transact: (work: Parameters<typeof store.transact>[0]) =>
      left-- > 0 ? store.transact(work) : Promise.reject(new Error('power loss')),
  }
  const next = await createRevocationList(plant, serials, { number: 2 })
  await assert.rejects(
    importRevocationList('a', Buffer.from(next), undefined, { idScope, store: cut, clock: Date.now }),
    /power loss/,
  )
  const now = await revoked()
  assert.ok(now.includes('a:A') && now.length > 601, String(now.length))
  assert.match(
    (await staleRevocationLists({ store }, Date.now())).join(),
    /the revocation list a was not imported to its end/,
  )
  const { incomplete, revoked: count } = await take('a', next)
  assert.deepEqual([incomplete, count], [undefined, 1200])
  assert.equal((await store.listedRevocations.sliceOfList(idScope, 'a', { limit: 5000 })).length, 1200)
})

test('what an older version imported goes on to revoke, and gives way to the next list of the same issuer only', async () => {
  const { take, idScope } = await instanceWith(plant, other)
  const createdDateTimeUtc = timestamp(Date.now())
  const subject = { serialNumber: '0A', issuer: 'AB' }
  await store.transact((write) => {
    write.revocations.put(idScope, { key: 'serial:AB:A', subject, reason: 'x', source: 'crl:a', createdDateTimeUtc })
    write.revocationLists.put(idScope, {
      name: 'a',
      issuer: 'CN=Plant',
      thisUpdate: inDays(-2).toISOString(),
      revoked: 1,
      lastUpdatedDateTimeUtc: createdDateTimeUtc,
    })
  })
  await refused(take('a', await createRevocationList(other, [])), /^a is the list of CN=Plant; that of CN=Other plant/)
  assert.ok(await store.revocations.get(idScope, 'serial:AB:A'))
  await take('a', await createRevocationList(plant, ['0A']))
  assert.equal(await store.revocations.get(idScope, 'serial:AB:A'), undefined)
})

test('a certificate on hold is revoked', async () => {
  const { take, revoked } = await instanceWith(plant)
  const list = await createRevocationList(plant, ['00FF', '00'], { reason: x509.X509CrlReason.certificateHold })
  await take('a', list)
  assert.deepEqual((await revoked()).toSorted(), ['a:0', 'a:FF'])
})

test('a delta needs the list that it changes, a name of its own, and follows the rules of succession', async () => {
  const { take, revoked, lists } = await instanceWith(plant)
  const changes = (number: number, base: number, serials: readonly string[]) =>
    createRevocationList(plant, serials, { number, extensions: [delta(base)] })
  await refused(take('delta', await changes(5, 4, [])), /only says what changed since its list 4: import that one/)
  await take('a', await createRevocationList(plant, ['0A'], { number: 4, thisUpdate: inDays(-1) }))
  await refused(take('delta', await changes(6, 5, [])), /since its list 5/)
  await refused(take('a', await changes(5, 4, [])), /^a is a complete list; this one only says what changed/)
  await take('delta', await changes(5, 4, ['0B']))
  await refused(take('more', await changes(6, 4, [])), /is imported as delta/)
  await refused(take('delta', await changes(4, 4, [])), /the number 4, older than 5/)
  const { base, number } = await take('delta', await changes(6, 4, ['0C']))
  assert.deepEqual([base, number], ['4', '6'])
  assert.deepEqual(await revoked(), ['a:A', 'delta:C'])
  const complete = await createRevocationList(plant, [], { number: 7 })
  await refused(take('delta', complete), /^delta only says what changed in another list/)
  assert.equal((await lists()).length, 2)
})

test('an import that is under way, or was cut off, says no more than the list before it', async () => {
  const { take, lists, idScope } = await instanceWith(plant)
  const first = { number: 1, thisUpdate: inDays(-1), nextUpdate: inDays(3) }
  await take('a', await createRevocationList(plant, ['0A'], first))
  const [before] = await lists()
  const cut = {
    ...store,
    listedRevocations: { ...store.listedRevocations, sliceOfList: () => Promise.reject(new Error('power loss')) },
  }
  const next = Buffer.from(await createRevocationList(plant, ['0B'], { number: 2 }))
  await assert.rejects(
    importRevocationList('a', next, undefined, { idScope, store: cut, clock: Date.now }),
    /power loss/,
  )
  assert.deepEqual(await lists(), [{ ...before, incomplete: 'renewing' }])
  assert.equal((await take('a', next.toString())).incomplete, undefined)
})

function delta(base: number): x509.Extension {
  return extension('2.5.29.27', true, `0201${base.toString(16).padStart(2, '0')}`)
}

function extension(oid: string, critical: boolean, hex: string): x509.Extension {
  return new x509.Extension(oid, critical, Buffer.from(hex, 'hex'))
}
