import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { createRoot, createSelfSigned, inDays } from '../../test/fixtures/certificates.ts'
import { asEtag, asIdScope, asRegistrationId } from '../../test/fixtures/identifiers.ts'
import { asPresented } from '../../test/fixtures/shapes.ts'
import { Secret } from '../base/secret.ts'
import { timestamp } from '../base/time.ts'
import type { AttestationMechanism, EnrolledCertificate } from '../model/enrollment.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { revocationKey, type RevokedSubject } from '../model/revocation.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { readCertificate } from '../wire/certificate.ts'
import { signSasToken } from '../wire/sas-token.ts'
import { attest } from './attest.ts'
import { prover } from './attestation-kind.ts'
import type { Credential, Verdict } from './attestation.ts'
import { unlimitedBudget } from './failure-budget.ts'
import { symmetricKey } from './symmetric-key.ts'
import { x509 } from './x509.ts'

const directory = mkdtempSync(join(tmpdir(), 'hubward-attest-'))
const store = openSqliteStore(directory)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

const now = Date.now()
const clock = () => now
const seconds = Math.floor(now / 1000)
const kinds = {
  symmetricKey: prover(symmetricKey(store, clock, unlimitedBudget)),
  x509: prover(x509(store, clock, { dates: 'enforce', admits: new Set(), revocation: 'listed' })),
}
const key = (byte: number) => new Secret(Buffer.alloc(32, byte))
const times = { createdDateTimeUtc: timestamp(now), lastUpdatedDateTimeUtc: timestamp(now) }

let instances = 0

/** An instance with these enrollments: individual ones by registration ID, groups by theirs. */
async function instance(enrolled: {
  readonly individual?: Readonly<Record<string, AttestationMechanism>>
  readonly groups?: Readonly<Record<string, AttestationMechanism>>
  readonly disabled?: boolean
  readonly uploaded?: Readonly<Record<string, { readonly certificate: string; readonly isVerified: boolean }>>
  readonly revoked?: readonly RevokedSubject[]
}) {
  const idScope = asIdScope(`0ne${String(++instances).padStart(8, '0')}`)
  const service = { idScope, name: idScope, hostNames: [], allocationPolicy: 'hashed', ...times } as const
  const provisioningStatus = enrolled.disabled ? 'disabled' : 'enabled'
  const entry = (attestation: AttestationMechanism) =>
    ({ attestation, provisioningStatus, etag: asEtag('e'), ...times }) as const
  await store.transact((write) => {
    write.services.create(service)
    for (const [registrationId, attestation] of Object.entries(enrolled.individual ?? {}))
      write.enrollments.create(idScope, {
        kind: 'individual',
        registrationId: asRegistrationId(registrationId),
        ...entry(attestation),
      })
    for (const [enrollmentGroupId, attestation] of Object.entries(enrolled.groups ?? {}))
      write.enrollments.create(idScope, { kind: 'group', enrollmentGroupId, ...entry(attestation) })
    for (const [name, { certificate, isVerified }] of Object.entries(enrolled.uploaded ?? {}))
      write.caCertificates.put(idScope, { ...record(certificate), name, isVerified, etag: asEtag('e'), ...times })
    for (const subject of enrolled.revoked ?? [])
      write.revocations.put(idScope, {
        key: revocationKey(subject),
        subject,
        reason: 'stolen',
        source: 'operator',
        ...times,
      })
  })
  const notes: string[] = []
  return {
    idScope,
    notes,
    ask: (registrationId: string, credential: Credential): Promise<Verdict> => {
      const presented = asPresented({
        service,
        registrationId: asRegistrationId(registrationId),
        credential,
        apiVersion: '2021-06-01',
        protocol: 'Http',
        trackingId: 't',
        remoteAddress: '192.0.2.1',
        trail: { note: (finding) => notes.push(finding.step), end: () => {} },
      })
      return attest(presented, kinds, store)
    },
  }
}

function record(pem: string): EnrolledCertificate {
  return readCertificate(new X509Certificate(pem).raw)!
}

function signedBy(
  signer: Secret,
  resource: string,
  expiry = seconds + 60,
  keyName: string | undefined = 'registration',
) {
  return { kind: 'token', token: signSasToken(resource, signer, expiry, keyName) } as const
}

function chain(...pems: readonly string[]): Credential {
  return { kind: 'certificate', chain: pems.map((pem) => new X509Certificate(pem).raw) }
}

async function letIn(asked: Promise<Verdict>, enrollment: string): Promise<void> {
  const verdict = await asked
  assert.ok(verdict.is === 'attested', verdict.is)
  const { attested } = verdict
  const id = attested.enrollment.kind === 'group' ? attested.enrollment.enrollmentGroupId : attested.registrationId
  assert.equal(id, enrollment)
  assert.ok(!('credential' in attested), 'what was sent is not needed any more')
}

async function refused(asked: Promise<Verdict>, reason: RefusalReason, detail: RegExp): Promise<void> {
  await assert.rejects(asked, (error) => {
    assert.ok(error instanceof Refusal, String(error))
    assert.equal(error.reason, reason, error.detail)
    assert.match(error.detail, detail)
    return true
  })
}

const symmetric = { type: 'symmetricKey', primaryKey: key(1), secondaryKey: key(2) } as const

test('a device is let in by either key of its enrollment, and by no other', async () => {
  const { ask, idScope } = await instance({ individual: { pump: symmetric }, groups: { fleet: symmetric } })
  const resource = `${idScope}/registrations/pump`
  for (const byte of [1, 2]) await letIn(ask('pump', signedBy(key(byte), resource)), 'pump')
  const neither = /^the token was signed with neither key of the individual enrollment$/
  await refused(ask('pump', signedBy(key(3), resource)), 'TokenSignatureInvalid', neither)
  const derived = new Secret(key(1).hmac('pump'))
  await refused(ask('pump', signedBy(derived, resource)), 'TokenSignatureInvalid', neither)
})

test('a device is let in by a key derived from either key of a group, for its ID in its own or in lower case', async () => {
  const { ask, idScope } = await instance({
    groups: { other: { ...symmetric, primaryKey: key(8), secondaryKey: key(9) }, fleet: symmetric },
  })
  const resource = `${idScope}/registrations/Pump`
  for (const byte of [1, 2])
    for (const spelling of ['Pump', 'pump']) {
      const derived = new Secret(key(byte).hmac(spelling))
      await letIn(ask('Pump', signedBy(derived, resource)), 'fleet')
    }
  await refused(
    ask('Pump', signedBy(new Secret(key(1).hmac('PUMP')), resource)),
    'TokenSignatureInvalid',
    /none of 2 symmetric/,
  )
  const { ask: askOther, idScope: otherScope } = await instance({ groups: { fleet: symmetric } })
  const ofGroup = signedBy(key(2), `${otherScope}/registrations/pump`)
  await refused(askOther('pump', ofGroup), 'TokenSignedWithGroupKey', /a key of the group fleet itself/)
})

test('a token is for this registration, in any case, and of its time and key name', async () => {
  const { ask, idScope } = await instance({ individual: { pump: symmetric } })
  const resource = `${idScope}/registrations/pump`
  const of = (...rest: [string, number?, string?]) => ask('pump', signedBy(key(1), ...rest))
  await letIn(of(resource.toUpperCase()), 'pump')
  await letIn(of(resource, seconds - 299), 'pump')
  await refused(of(resource, seconds - 300), 'TokenExpired', /^the token expired 300 s ago/)
  for (const keyName of ['', 'Registration']) await letIn(of(resource, seconds + 60, keyName), 'pump')
  await refused(of(resource, seconds + 60, 'owner'), 'TokenKeyNameInvalid', /or none, found "owner"$/)
  await refused(of(`${idScope}/registrations/pump2`), 'TokenForAnotherResource', /expected a token for .*pump, found/)
  await refused(of('0ne/registrations/pump'), 'TokenForAnotherResource', /./)
  await refused(ask('pump', { kind: 'token', token: 'sr=x' }), 'TokenMalformed', /^the token has no sig and no se$/)
  await refused(ask('pump', { kind: 'none' }), 'CredentialMissing', /^no token, no certificate and no TPM keys/)
})

test('an individual enrollment decides alone, whatever it asks for', async () => {
  const { certificate } = await createSelfSigned('pump')
  const pinned = { type: 'x509', of: 'clientCertificates', primary: record(certificate) } as const
  const { ask, idScope } = await instance({ individual: { pump: pinned }, groups: { fleet: symmetric } })
  const derived = signedBy(new Secret(key(1).hmac('pump')), `${idScope}/registrations/pump`)
  await refused(ask('pump', derived), 'AttestationTypeMismatch', /pump asks for x509; the device sent a token$/)
  await letIn(ask('pump', chain(certificate)), 'pump')
})

test('who is not enrolled at all is told apart from whose group is not', async () => {
  const { ask, idScope } = await instance({})
  const nobody = signedBy(key(1), `${idScope}/registrations/pump`)
  await refused(ask('pump', nobody), 'EnrollmentNotFound', /has the registration ID pump, and no group vouches/)
})

test('who is disabled is so only after the proof', async () => {
  const { ask, idScope } = await instance({ individual: { pump: symmetric }, disabled: true })
  const resource = `${idScope}/registrations/pump`
  assert.equal((await ask('pump', signedBy(key(1), resource))).is, 'disabled')
  await refused(ask('pump', signedBy(key(3), resource)), 'TokenSignatureInvalid', /./)
})

test('a certificate that is enrolled lets in, as the first or the second, and no other of its name does', async () => {
  const [one, two, three] = await Promise.all(['pump', 'PUMP', 'pump'].map((name) => createSelfSigned(name)))
  const slots = { primary: record(one!.certificate), secondary: record(two!.certificate) }
  const { ask } = await instance({ individual: { pump: { type: 'x509', of: 'clientCertificates', ...slots } } })
  await letIn(ask('pump', chain(one!.certificate)), 'pump')
  await letIn(ask('pump', chain(two!.certificate, three!.certificate)), 'pump')
  const holds = new RegExp(`^presented [0-9A-F]{64}; .* holds ${slots.primary.info.sha256Thumbprint} and [0-9A-F]{64}$`)
  await refused(ask('pump', chain(three!.certificate)), 'CertificateNotEnrolled', holds)
  const expired = await createSelfSigned('pump', { notBefore: inDays(-9), notAfter: inDays(-1) })
  await refused(ask('pump', chain(expired.certificate)), 'CertificateExpired', /CN=pump expired on/)
  const empty = await instance({ individual: { pump: { type: 'x509', of: 'clientCertificates' } } })
  await refused(empty.ask('pump', chain(one!.certificate)), 'CertificateNotEnrolled', /holds none$/)
})

const root = await createRoot('Root')
const middle = await root.issueAuthority('Middle')
const leaf = await middle.issueLeaf('pump')
const otherRoot = await createRoot('Other')
const signing = (...pems: readonly string[]) => {
  const [primary, secondary] = pems.map(record)
  return { type: 'x509', of: 'signingCertificates', primary: primary!, ...(secondary && { secondary }) } as const
}
const references = (primary: string, secondary?: string) =>
  ({ type: 'x509', of: 'caReferences', primary, ...(secondary !== undefined && { secondary }) }) as const

test('a path that ends at a CA of a group, or of an individual enrollment, lets in', async () => {
  const groups = { other: signing(otherRoot.certificate), plant: signing(otherRoot.certificate, root.certificate) }
  const { ask } = await instance({ groups })
  const verdict = await ask('pump', chain(leaf.certificate, middle.certificate))
  await letIn(Promise.resolve(verdict), 'plant')
  assert.ok(verdict.is === 'attested')
  const der = (pem: string) => new X509Certificate(pem).raw.toString('base64')
  assert.deepEqual(verdict.attested.evidence, {
    sha256Thumbprint: new X509Certificate(leaf.certificate).fingerprint256.replaceAll(':', ''),
    certificate: der(leaf.certificate),
    chain: [der(middle.certificate)],
    signingCertificate: der(root.certificate),
  })
  const alone = await instance({ individual: { pump: signing(middle.certificate) } })
  await letIn(alone.ask('pump', chain(leaf.certificate)), 'pump')
})

test('an uploaded CA lets in once it is verified and referred to, in any case, and stands between in either case', async () => {
  const uploaded = (isVerified: boolean) => ({ Root: { certificate: root.certificate, isVerified } })
  const presented = chain(leaf.certificate, middle.certificate)
  const referring = { groups: { plant: references('other', 'ROOT') } }
  await letIn((await instance({ ...referring, uploaded: uploaded(true) })).ask('pump', presented), 'plant')
  const individual = { individual: { pump: references('root') } }
  await letIn((await instance({ ...individual, uploaded: uploaded(true) })).ask('pump', presented), 'pump')
  for (const enrolled of [referring, individual])
    await refused(
      (await instance({ ...enrolled, uploaded: uploaded(false) })).ask('pump', presented),
      'CaCertificateNotVerified',
      /ends at the CA certificate Root, whose possession was not proven$/,
    )
  const unreferred = { groups: { plant: references('Other') }, uploaded: uploaded(true) }
  const says = /ends at the CA certificate Root, to which no enrollment of the device refers$/
  await refused((await instance(unreferred)).ask('pump', presented), 'CaCertificateNotReferenced', says)
  const between = { Middle: { certificate: middle.certificate, isVerified: false } }
  const { ask } = await instance({ groups: { plant: signing(root.certificate) }, uploaded: between })
  await letIn(ask('pump', chain(leaf.certificate)), 'plant')
})

test('a path that does not end at a CA of ours is refused, and it is said where it ends', async () => {
  const { ask } = await instance({ groups: { plant: signing(otherRoot.certificate) } })
  const ended = (...pems: readonly string[]) => ask('pump', chain(leaf.certificate, ...pems))
  await refused(ended(), 'ChainNotAnchored', /^CN=pump was issued by CN=Middle, which was neither presented nor/)
  await refused(ended(middle.certificate), 'ChainNotAnchored', /^CN=Middle was issued by CN=Root/)
  const toRoot = /^CN=Root \(SHA-256 [0-9A-F]{64}\) signed itself and is not enrolled$/
  await refused(ended(middle.certificate, root.certificate), 'ChainRootUnknown', toRoot)
  const namesake = await createRoot('Middle')
  const unsigned = await instance({ groups: { plant: signing(namesake.certificate) } })
  const says = /^CN=pump was not signed by the key of CN=Middle$/
  await refused(unsigned.ask('pump', chain(leaf.certificate)), 'ChainSignatureInvalid', says)
  const expired = await root.crossSign(middle, { notBefore: inDays(-9), notAfter: inDays(-1) })
  const stale = await instance({ groups: { plant: signing(root.certificate) } })
  await refused(stale.ask('pump', chain(leaf.certificate, expired)), 'CertificateExpired', /^CN=Middle expired on/)
})

test('a chain is at most ten certificates, of which each can be read, and whose first is named like the device', async () => {
  const { ask } = await instance({ groups: { plant: signing(root.certificate) } })
  const long = (count: number) =>
    chain(leaf.certificate, ...Array.from({ length: count - 1 }, () => middle.certificate))
  await letIn(ask('pump', long(10)), 'plant')
  await refused(ask('pump', long(11)), 'ChainTooLong', /^11 certificates were presented; at most 10 are read$/)
  await letIn(ask('PUMP', long(2)), 'plant')
  await refused(ask('pump2', long(2)), 'CertificateCommonNameMismatch', /is for pump; the device registers as pump2$/)
  const unnamed = await middle.issueLeaf('', { subject: 'O=Plant' })
  await refused(ask('pump', chain(unnamed.certificate)), 'CertificateCommonNameMissing', /has no common name$/)
  await refused(ask('pump', { kind: 'certificate', chain: [] }), 'CertificateMissing', /no certificate was presented/)
  const [whole] = [new X509Certificate(leaf.certificate).raw]
  const cut = [whole.subarray(0, whole.length - 1)]
  await refused(ask('pump', { kind: 'certificate', chain: cut }), 'CertificateMalformed', /cannot be read/)
  await refused(ask('pump', { kind: 'certificate', chain: [whole, ...cut] }), 'CertificateMalformed', /cannot be read/)
})

test('a CA is no device, whether it says that it is one or is enrolled as one', async () => {
  const bare = await createRoot('bare', { extensions: 'bare' })
  const { ask, notes } = await instance({
    groups: { plant: signing(root.certificate), old: signing(bare.certificate) },
  })
  const ca = await root.issueAuthority('pump')
  await refused(ask('pump', chain(ca.certificate)), 'CertificateIsCa', /which issues device certificates and is none$/)
  await refused(
    ask('bare', chain(bare.certificate)),
    'CertificateIsCa',
    /is itself the one that the group old has enrolled as a CA$/,
  )
  await letIn(ask('pump', chain((await bare.issueLeaf('pump')).certificate)), 'old')
  assert.ok(notes.includes('warning'), 'an anchor of the old kind is told')
})

test('who is revoked is refused after the proof: by name, by certificate, by any certificate above it', async () => {
  const groups = { plant: signing(root.certificate) }
  const presented = chain(leaf.certificate, middle.certificate)
  const of = (pem: string) => new X509Certificate(pem)
  const subjects: readonly (readonly [subject: RevokedSubject, reason: RefusalReason, what: RegExp])[] = [
    [
      { registrationId: 'PUMP' },
      'RegistrationRevoked',
      /^the registration ID pump was revoked on .* \(operator\): stolen$/,
    ],
    [{ thumbprint: of(leaf.certificate).fingerprint256 }, 'CertificateRevoked', /^the certificate CN=pump was revoked/],
    [{ thumbprint: of(leaf.certificate).fingerprint }, 'CertificateRevoked', /CN=pump/],
    [{ serialNumber: of(leaf.certificate).serialNumber }, 'CertificateRevoked', /CN=pump/],
    [{ thumbprint: of(middle.certificate).fingerprint256 }, 'CertificateRevoked', /CN=Middle/],
    [{ serialNumber: of(root.certificate).serialNumber.toLowerCase() }, 'CertificateRevoked', /CN=Root/],
  ]
  for (const [subject, reason, what] of subjects) {
    const { ask } = await instance({ groups, revoked: [subject] })
    await refused(ask('pump', presented), reason, what)
  }
  const others = [{ registrationId: 'pump2' }, { thumbprint: of(otherRoot.certificate).fingerprint256 }]
  await letIn((await instance({ groups, revoked: others })).ask('pump', presented), 'plant')
  const stranger = await instance({ groups, revoked: [{ registrationId: 'pump' }] })
  await refused(stranger.ask('pump', chain(leaf.certificate)), 'ChainNotAnchored', /./)
})
