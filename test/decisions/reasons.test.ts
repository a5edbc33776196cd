import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { advice } from '../../src/decisions/advice.ts'
import { refusals, type RefusalReason } from '../../src/model/refusal.ts'
import { createRoot } from '../fixtures/certificates.ts'
import { openControlPlane } from '../management/control-plane.ts'
import { bundledHub } from './bundled-hub.ts'
import { certificates } from './certificates.ts'
import { mistakes } from './mistakes.ts'
import { placement } from './placement.ts'
import { requests } from './requests.ts'
import { revoked } from './revoked.ts'
import { supposed } from './supposed.ts'
import { tokens } from './tokens.ts'
import { tpms } from './tpm.ts'
import { unread } from './unread.ts'
import { decisionOf, other, type Case, type Told, type World } from './world.ts'

const cases: readonly Case[] = [
  ...requests,
  ...tokens,
  ...mistakes,
  ...certificates,
  ...tpms,
  ...placement,
  ...revoked,
  ...supposed,
  ...unread,
  ...bundledHub,
]

const folder = await mkdtemp(join(tmpdir(), 'hubward-why-'))
const hubCa = join(folder, 'hub-ca.pem')
const servers = await createRoot('Hubs of the tests')
await writeFile(hubCa, servers.certificate)
const plane = await openControlPlane('127.90.1', [
  '--hub-ca',
  hubCa,
  '--hub-networks',
  '127.90.1.0/24',
  '--hub-patience',
  '400',
  '--short-wait',
  '5000',
])
after(async () => {
  await plane[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})
const world: World = {
  plane,
  service: plane.service,
  instance: 'hubward',
  serverAt: async (host) => {
    const { key, chain } = await servers.issueLeaf(host, { usage: 'serverAuth', names: [host] })
    return { host, key, certificate: chain }
  },
}
const produced = new Set<string>()

describe('the operator is told why', { concurrency: 4 }, () => {
  for (const [index, { reason, when, says, attempt }] of cases.entries()) {
    test(`${reason}${when ? `, ${when}` : ''}`, async () => {
      const registrationId = `${reason === 'RegistrationIdInvalid' ? '-' : ''}why-${index}`
      const came = await attempt(world, registrationId)
      const told: Told = came !== undefined && 'outcome' in came ? came : await decisionOf(world, registrationId)
      assert.equal(told.reason, reason, JSON.stringify(told))
      assert.match(told.detail ?? '', says)
      assert.equal(told.remedy, advice[reasonOf(reason)][1])
      assertNoSecret(told)
      if (came !== undefined && 'text' in came) assertPublic(came.text, told)
      produced.add(reason)
    })
  }
})

test('every reason that a device may meet was produced by one of these', () => {
  const wanted = Object.entries(advice).flatMap(([reason, [side]]) =>
    side === 'device' || side === 'both' ? [reason] : [],
  )
  assert.deepEqual(
    wanted.filter((reason) => !produced.has(reason)),
    [],
  )
  assert.ok(produced.size >= 40, `${produced.size} reasons`)
})

function reasonOf(text: string): RefusalReason {
  assert.ok(text in refusals, `${text} is a reason`)
  return text as RefusalReason
}

/** The device sees the public error, under the tracking id by which the operator finds the rest. */
function assertPublic(text: string, { trackingId, outcome, detail }: Told): void {
  if (outcome === 'refused') assert.match(text, new RegExp(`"trackingId":"${trackingId}"`))
  assert.ok(!text.includes(String(detail)) || outcome === 'failed', `the device was told ${text}`)
}

function assertNoSecret(told: Told): void {
  const written = JSON.stringify({ ...told, remedy: undefined })
  for (const secret of [other, plane.token, 'sig=', 'SharedAccessKey=', 'BEGIN'])
    assert.ok(!written.includes(secret), written)
}
