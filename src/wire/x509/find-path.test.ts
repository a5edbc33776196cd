import 'reflect-metadata'
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import * as x509 from '@peculiar/x509'
import { createRoot, inDays, type Authority, type CertificateOptions } from '../../../test/fixtures/certificates.ts'
import { fieldsOf } from './certificate-fields.ts'
import { bySubject, findPath, issuersAbove, type PathSearch } from './find-path.ts'
import type { PathRules } from './path-rules.ts'

const rules: PathRules = { at: Date.now(), skew: 0, purpose: '1.3.6.1.5.5.7.3.2', admits: new Set() }

test('of cross-signed intermediates, in any order, those that lead to an anchor are found', async () => {
  const [old, stranger, middle] = await Promise.all([createRoot('Old'), createRoot('Stranger'), createRoot('Middle')])
  const lower = await middle.issueAuthority('Lower')
  const { certificate: leaf } = await lower.issueLeaf('device')
  const presented = [
    await stranger.crossSign(middle),
    await old.crossSign(middle),
    await middle.crossSign(stranger),
    await stranger.crossSign(lower),
    lower.certificate,
  ]
  for (const order of permutations(presented)) {
    assert.deepEqual(namesOf(search(leaf, [old], order)), ['device', 'Lower', 'Middle', 'Old'])
  }
})

test('an intermediate that is not valid does not hide another of its name and key', async () => {
  const [root, middle] = await Promise.all([createRoot('Root'), createRoot('Middle')])
  const expired = await root.crossSign(middle, { notBefore: inDays(-9), notAfter: inDays(-1) })
  const good = await root.crossSign(middle)
  const { certificate: leaf } = await middle.issueLeaf('device')
  for (const order of permutations([expired, good])) {
    assert.deepEqual(namesOf(search(leaf, [root], order)), ['device', 'Middle', 'Root'])
  }
  const alone = search(leaf, [root], [expired])
  assert.ok('flaw' in alone && alone.flaw.kind === 'expired')
})

test('the nearest anchor ends the path, and one that is not valid is passed over', async () => {
  const root = await createRoot('Root')
  const middle = await root.issueAuthority('Middle')
  const { certificate: leaf } = await middle.issueLeaf('device')
  assert.deepEqual(namesOf(search(leaf, [root, middle], [middle.certificate])), ['device', 'Middle'])
  const stale = {
    ...middle,
    certificate: await root.crossSign(middle, { notBefore: inDays(-9), notAfter: inDays(-1) }),
  }
  assert.deepEqual(namesOf(search(leaf, [root, stale], [middle.certificate])), ['device', 'Middle', 'Root'])
})

test('CAs that all issue each other lead nowhere, fast', async () => {
  const circle = await Promise.all(Array.from({ length: 4 }, (_, n) => createRoot(`Circle ${n}`)))
  const all = await Promise.all(circle.flatMap((one) => circle.map((other) => one.crossSign(other))))
  const { certificate: leaf } = await circle[0]!.issueLeaf('device')
  const found = search(leaf, [await createRoot('Root')], all)
  assert.ok('stuck' in found && found.stuck === 'issuer-unknown', 'each of them was on a path once')
})

test("of many of the issuer's name, a bounded number is tried", async () => {
  const anchors = await Promise.all(Array.from({ length: 80 }, () => createRoot('Same name')))
  const { certificate: leaf } = await anchors.at(-1)!.issueLeaf('device')
  const found = search(leaf, anchors, [])
  assert.ok('stuck' in found && found.stuck === 'too-many-candidates', JSON.stringify(found))
})

test('of many of the issuer’s name, the one whose key the certificate names is tried first, and one of another key last', async () => {
  const identifier = (type: string, hex: string) => new x509.Extension(type, false, Buffer.from(hex, 'hex'))
  const has = (key: string) => ({ extensions: [identifier('2.5.29.14', `0401${key}`)] })
  const [own, stranger] = await Promise.all([createRoot('Name', has('0a')), createRoot('Name')])
  const strangers = (count: number, options: CertificateOptions) =>
    Promise.all(
      Array.from({ length: count }, async () => ({ certificate: await stranger.crossSign(stranger, options) })),
    )
  const { certificate: leaf } = await own.issueLeaf('device', { extensions: [identifier('2.5.29.35', '300380010a')] })
  const [silent, others] = await Promise.all([strangers(70, {}), strangers(70, has('0b'))])
  assert.deepEqual(namesOf(search(leaf, [...silent, ...others, own], [])), ['device', 'Name'])
  const bare = { ...own, certificate: await own.crossSign(own) }
  assert.deepEqual(namesOf(search(leaf, [...others, bare], [])), ['device', 'Name'])
})

test('where nobody of the issuer’s name signed, the certificate is said whose signature is wrong', async () => {
  const [root, namesake] = await Promise.all([createRoot('Root'), createRoot('Root')])
  const middle = await namesake.issueAuthority('Middle')
  const { certificate: leaf } = await middle.issueLeaf('device')
  const found = search(leaf, [root], [middle.certificate])
  assert.ok('stuck' in found && found.stuck === 'signature-invalid')
  assert.equal(fieldsOf(found.at).subject.attributes.at(-1)?.text, 'Middle')
  const unknown = search(leaf, [await createRoot('Other')], [middle.certificate])
  assert.ok('stuck' in unknown && unknown.stuck === 'issuer-unknown')
  assert.equal(fieldsOf(unknown.at).subject.attributes.at(-1)?.text, 'Middle')
  const nobody = search(leaf, [root], [])
  assert.ok('stuck' in nobody && nobody.stuck === 'issuer-unknown')
  assert.equal(fieldsOf(nobody.at).subject.attributes.at(-1)?.text, 'device')
})

test('a chain longer than eight is not climbed', async () => {
  const root = await createRoot('Root')
  const chain: Authority[] = [root]
  for (let level = 0; level < 9; level++) chain.push(await chain.at(-1)!.issueAuthority(`Level ${level}`))
  const climbed = async (height: number) => {
    const { certificate } = await chain[height]!.issueLeaf('device')
    return search(
      certificate,
      [root],
      chain.slice(1, height + 1).map((authority) => authority.certificate),
    )
  }
  assert.ok('path' in (await climbed(8)))
  const found = await climbed(9)
  assert.ok('stuck' in found && found.stuck === 'too-long')
})

test('self-issued certificates do not count for the path length', async () => {
  const root = await createRoot('Root', { pathLength: 0 })
  const renewed = await createRoot('Root')
  const rollover = await root.crossSign(renewed)
  const { certificate: leaf } = await renewed.issueLeaf('device')
  assert.deepEqual(namesOf(search(leaf, [root], [rollover])), ['device', 'Root', 'Root'])
})

const warned: readonly (readonly [
  what: string,
  options: CertificateOptions,
  role: string,
  admits: PathRules['admits'],
  says: RegExp,
])[] = [
  ['an anchor without extensions', { extensions: 'bare' }, 'root', new Set(), /has no basic constraints that say CA/],
  ['RSA of 1024 bits', { algorithm: 'rsa-1024' }, 'intermediate', new Set(['rsa-1024']), /by rsa-1024: its key is RSA/],
  ['SHA-1', { hash: 'SHA-1' }, 'intermediate', new Set(['sha1-signatures']), /by sha1-signatures: .* ecdsa-with-SHA1/],
]

for (const [what, options, role, admits, says] of warned) {
  test(`${what} is let through with a warning`, async () => {
    const root = await createRoot('Root', role === 'root' ? options : {})
    const middle = await root.issueAuthority('Middle', role === 'intermediate' ? options : {})
    const { certificate: leaf } = await middle.issueLeaf('device')
    const found = search(leaf, [root], [middle.certificate], { ...rules, admits })
    assert.ok('path' in found, JSON.stringify(found))
    assert.match(found.warnings.join(), says)
    assert.equal(found.warnings.length, 1)
  })
}

test('an intermediate without extensions is none, however the anchors are', async () => {
  const root = await createRoot('Root')
  const middle = await root.issueAuthority('Middle', { extensions: 'bare' })
  const { certificate: leaf } = await middle.issueLeaf('device')
  const found = search(leaf, [root], [middle.certificate])
  assert.ok('flaw' in found && found.flaw.kind === 'issuer-not-ca')
})

test('the issuers above a path are all of those known, and nobody who only has their name', async () => {
  const [top, other, namesake] = await Promise.all([createRoot('Top'), createRoot('Other'), createRoot('Top')])
  const root = await top.issueAuthority('Root')
  const known = [top.certificate, await other.crossSign(top), other.certificate, namesake.certificate].map(parse)
  const above = issuersAbove([parse(root.certificate)], [bySubject(known, (one) => one)])
  assert.deepEqual(
    above.map(({ raw }) => raw),
    known.slice(0, 3).map(({ raw }) => raw),
  )
})

function search(
  leaf: string,
  anchors: readonly Pick<Authority, 'certificate'>[],
  presented: readonly string[],
  by: PathRules = rules,
): PathSearch<undefined> {
  const parsed = anchors.map(({ certificate }) => ({ certificate: parse(certificate), of: undefined }))
  const ends = bySubject(parsed, ({ certificate }) => certificate)
  return findPath(parse(leaf), ends, presented.map(parse), new Map(), by)
}

function namesOf(found: PathSearch<undefined>): readonly (string | undefined)[] {
  assert.ok('path' in found, JSON.stringify(found))
  return [...found.path, found.anchor.certificate].map((one) => fieldsOf(one).subject.attributes.at(-1)?.text)
}

function parse(pem: string): X509Certificate {
  return new X509Certificate(pem)
}

function permutations<T>(all: readonly T[]): readonly (readonly T[])[] {
  if (all.length < 2) return [all]
  return all.flatMap((one) => permutations(all.filter((other) => other !== one)).map((rest) => [one, ...rest]))
}
