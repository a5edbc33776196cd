import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { jumps, testClocks } from '../../test/fixtures/clocks.ts'
import { newChip, type Chip } from '../../test/fixtures/tpm-chip.ts'
import { Refusal, type RefusalReason } from '../model/refusal.ts'
import { Secret } from '../base/secret.ts'
import type { Clocks } from '../base/time.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import { signSasToken } from '../wire/sas-token.ts'
import type { Challenge, Credential, Presented } from './attestation.ts'
import { unlimitedBudget } from './failure-budget.ts'
import { tpm } from './tpm.ts'
import { tpmClaim } from './tpm-claim.ts'
import type { TpmMechanism } from './tpm-mechanism.ts'
import { asIdScope, asRegistrationId, asTimestamp } from '../../test/fixtures/identifiers.ts'
import { asPresented } from '../../test/fixtures/shapes.ts'

const hour = 3600 * 1000
const start = Date.UTC(2026, 1, 3, 4, 30)
const secret = new Secret(Buffer.alloc(32, 9))
const directory = mkdtempSync(join(tmpdir(), 'hubward-tpm-'))
const store = openSqliteStore(directory)
after(async () => {
  await store[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})
const device = newChip()
const other = newChip()

test('a device that unwraps its nonce and signs with it is believed, with the storage root key of this registration', async () => {
  const at = clockAt(start)
  const { evidence } = await prove(await answered(device, at), at)
  assert.deepEqual(evidence, {
    endorsementKey: device.endorsementKey.toString('base64'),
    storageRootKey: device.storageRootKey.toString('base64'),
  })
})

test('an answer that carries the token alone, as of IoT Edge, is believed with the root key of its challenge', async () => {
  const at = clockAt(start)
  const { token } = await answered(device, at)
  const cleared = { ...device, storageRootKey: other.storageRootKey }
  await prove({ kind: 'claim', claim: tpmClaim(cleared) }, at)
  const { evidence } = await prove({ kind: 'token', token }, at)
  assert.equal(evidence?.['storageRootKey'], device.storageRootKey.toString('base64'))
})

test('whoever asks for challenges under made-up root keys does not push out the one that a TPM has proven', async () => {
  const at = testClocks(start)
  const registrationId = 'dev-09'
  const kind = tpm(store, at, secret, unlimitedBudget)
  const challenge = async (storageRootKey: Buffer) => {
    const asked = { kind: 'claim', claim: tpmClaim({ ...device, storageRootKey }) } as const
    const proof = await kind.individual(presented(asked, { registrationId }), mechanism(device))
    assert.ok('challenge' in proof)
    at.pass(1)
    return proof.challenge()
  }
  const { authenticationKey } = await challenge(device.storageRootKey)
  const nonce = device.unwrap(Buffer.from(authenticationKey, 'base64'))
  const answer = { kind: 'token', token: sign(`0neA/registrations/${registrationId}`, nonce) } as const
  const attempt = presented(answer, { registrationId })
  const proof = await kind.individual(attempt, mechanism(device))
  assert.ok('evidence' in proof)
  await kind.remember?.({ ...attempt, evidence: proof.evidence })
  for (let round = 0; round < 6; round++) await challenge(newChip().storageRootKey)
  await kind.individual(attempt, mechanism(device))
  assert.equal((await store.rootKeys.of(asIdScope('0neA'), registrationId)).length, 4)
  await kind.remember?.({ ...attempt, evidence: proof.evidence })
  assert.equal((await store.rootKeys.of(asIdScope('0neA'), registrationId)).length, 1)
})

test('a nonce is good in its own hour and the next, and refused after that', async () => {
  const credential = await answered(device, clockAt(start))
  await prove(credential, clockAt(start + 29 * 60 * 1000))
  await prove(credential, clockAt(start + 89 * 60 * 1000))
  await refuses('NonceInvalid', prove(credential, clockAt(start + 91 * 60 * 1000)))
})

test('a clock that is set, in either direction, takes no nonce from a device that is at work with it', async () => {
  for (const jump of jumps) {
    const time = testClocks(start)
    const kind = tpm(store, time, secret, unlimitedBudget)
    const proof = await kind.individual(presented({ kind: 'claim', claim: tpmClaim(device) }), mechanism(device))
    assert.ok('challenge' in proof)
    const nonce = device.unwrap(Buffer.from((await proof.challenge()).authenticationKey, 'base64'))
    time.set(jump)
    time.pass(59 * 60 * 1000)
    const token = sign('0neA/registrations/dev-01', nonce, time.clock() + hour)
    await kind.individual(presented({ kind: 'token', token }), mechanism(device))
    time.pass(2 * hour)
    const late = sign('0neA/registrations/dev-01', nonce, time.clock() + hour)
    await refuses('NonceInvalid', kind.individual(presented({ kind: 'token', token: late }), mechanism(device)))
  }
})

test('a nonce of the hour to come is good: another node was there, or this one before its clock was set back', async () => {
  const at = clockAt(start)
  await prove(await answered(device, clockAt(start + 31 * 60 * 1000)), at)
  await refuses('NonceInvalid', prove(await answered(device, clockAt(start + 91 * 60 * 1000)), at))
})

test('a nonce belongs to one registration, one ID scope and one service', async () => {
  const at = clockAt(start)
  const { token, claim } = await answered(device, at)
  const nonce = (await challenged(device, at)).nonce
  const signedFor = (resource: string): Credential => {
    return { kind: 'token', token: sign(resource, nonce), claim }
  }
  await refuses('NonceInvalid', prove(signedFor('0neA/registrations/dev-02'), at, { registrationId: 'dev-02' }))
  await refuses('NonceInvalid', prove(signedFor('0neB/registrations/dev-01'), at, { idScope: '0neB' }))
  const foreign = tpm(store, at, new Secret(Buffer.alloc(32, 8)), unlimitedBudget)
  await refuses('NonceInvalid', foreign.individual(presented({ kind: 'token', token }), mechanism(device)))
  await prove(signedFor('0neA/registrations/DEV-01'), at, { registrationId: asRegistrationId('DEV-01') })
})

test('a nonce belongs to one endorsement key', async () => {
  const at = clockAt(start)
  const { token } = await answered(other, at)
  await refuses('NonceInvalid', prove({ kind: 'token', token }, at))
})

test('a foreign endorsement key is refused as not enrolled, with a token or without', async () => {
  const at = clockAt(start)
  await refuses('EndorsementKeyMismatch', prove({ kind: 'claim', claim: tpmClaim(other) }, at))
  const { token } = await answered(device, at)
  await refuses('EndorsementKeyMismatch', prove({ kind: 'token', token, claim: tpmClaim(other) }, at))
})

test('keys that are no keys are refused by name', async () => {
  const at = clockAt(start)
  for (const broken of [Buffer.alloc(0), Buffer.alloc(70_000), device.endorsementKey.subarray(0, 283)]) {
    await refuses(
      'EndorsementKeyMalformed',
      prove({ kind: 'claim', claim: tpmClaim({ ...device, endorsementKey: broken }) }, at),
    )
    await refuses(
      'StorageRootKeyMalformed',
      prove({ kind: 'claim', claim: tpmClaim({ ...device, storageRootKey: broken }) }, at),
    )
  }
})

test('the hub key is wrapped for the device that registered, and a key that no TPM takes is refused', () => {
  const kind = tpm(store, clockAt(start), secret, unlimitedBudget)
  const evidence = {
    endorsementKey: device.endorsementKey.toString('base64'),
    storageRootKey: device.storageRootKey.toString('base64'),
  }
  const key = Buffer.alloc(32, 5)
  const sealed = kind.seal?.(evidence, new Secret(key), 'hub.example.net') ?? ''
  assert.deepEqual(device.unwrap(Buffer.from(sealed, 'base64')), key)
  assert.throws(() => kind.seal?.(evidence, new Secret(Buffer.alloc(65)), 'hub.example.net'), { reason: 'HubRefused' })
})

async function challenged(from: Chip, clocks: Clocks): Promise<{ challenge: Challenge; nonce: Buffer }> {
  const proof = await tpm(store, clocks, secret, unlimitedBudget).individual(
    presented({ kind: 'claim', claim: tpmClaim(from) }),
    mechanism(from),
  )
  assert.ok('challenge' in proof)
  const challenge = await proof.challenge()
  assert.equal(challenge.keyName, 'registration')
  return { challenge, nonce: from.unwrap(Buffer.from(challenge.authenticationKey, 'base64')) }
}

async function answered(from: Chip, clocks: Clocks) {
  const { nonce } = await challenged(from, clocks)
  return { kind: 'token', token: sign('0neA/registrations/dev-01', nonce), claim: tpmClaim(from) } as const
}

async function prove(credential: Credential, clocks: Clocks, of: { registrationId?: string; idScope?: string } = {}) {
  const proof = await tpm(store, clocks, secret, unlimitedBudget).individual(
    presented(credential, of),
    mechanism(device),
  )
  return { evidence: 'evidence' in proof ? proof.evidence : undefined }
}

function sign(resource: string, key: Buffer, expires = start + 24 * hour): string {
  const hmac = (message: string) => createHmac('sha256', key).update(message).digest()
  return signSasToken(resource, { hmac }, expires / 1000, 'registration')
}

function mechanism({ endorsementKey }: Chip): TpmMechanism {
  return { type: 'tpm', endorsementKey: endorsementKey.toString('base64') }
}

function presented(credential: Credential, { registrationId = 'dev-01', idScope = '0neA' } = {}): Presented {
  return asPresented({
    credential,
    registrationId: asRegistrationId(registrationId),
    service: {
      idScope: asIdScope(idScope),
      name: 'test',
      hostNames: ['dps.example.net'],
      allocationPolicy: 'hashed',
      createdDateTimeUtc: asTimestamp('2026-01-01T00:00:00.0000000Z'),
    },
    apiVersion: '2019-03-31',
    protocol: 'Http',
    trackingId: 'test',
    remoteAddress: '127.0.0.1',
    trail: { note: () => undefined, end: () => undefined },
  })
}

function clockAt(moment: number): Clocks {
  return testClocks(moment)
}

async function refuses(reason: RefusalReason, attempt: Promise<unknown>): Promise<void> {
  await assert.rejects(attempt, (error) => {
    assert.ok(error instanceof Refusal, String(error))
    assert.equal(error.reason, reason)
    return true
  })
}
