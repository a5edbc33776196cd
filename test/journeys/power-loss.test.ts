import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import type { IdScope } from '../../src/model/identifiers.ts'
import { openBundledHub } from '../../src/bundled-hub/bundled-hub.ts'
import { serverCertificate } from '../../src/main/certificates.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import { ask } from '../fixtures/bundled-hub.ts'
import { newKey } from '../fixtures/enrollments.ts'
import { derivedKey, sasToken } from '../fixtures/sas.ts'
import { startService, type Service } from '../fixtures/service.ts'
import { Disk, type Unsynced } from './power-loss/disk.ts'
import { acknowledge, compileRecorder, readRecording, type Event } from './power-loss/recording.ts'
import { asIdScope } from '../fixtures/identifiers.ts'

/** All of it (minutes) with POWER_LOSS=full; another choice of sectors with POWER_LOSS_SEED. */
const everywhere = process.env['POWER_LOSS'] === 'full'
const seed = Number(process.env['POWER_LOSS_SEED'] ?? 8)
const cutsTried = everywhere ? Infinity : 20

const network = '127.60.4'
const hubNames = [`${network}.2`, `${network}.3`]
const groupKey = newKey()

/** What the service has acknowledged. */
type Acknowledged =
  | { readonly is: 'enrolled'; readonly registrationId: string; readonly etag: string }
  /** Asked for, and not acknowledged: it may have happened. */
  | { readonly is: 'deleting'; readonly registrationId: string }
  | { readonly is: 'deleted'; readonly registrationId: string }
  | { readonly is: 'assigned'; readonly registrationId: string; readonly hub: string }
  | { readonly is: 'ready'; readonly idScope: IdScope; readonly ca: string }

let root: string
let events: readonly Event[]

before(async () => {
  root = mkdtempSync(join(tmpdir(), 'hubward-power-loss-'))
  // Hundreds of states are opened, and each is synced: in memory that costs nothing. It takes root.
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512m', 'none', root])
  events = await recordedRun()
})

after(() => {
  execFileSync('umount', ['-l', root])
  rmSync(root, { recursive: true })
})

test('the power fails at any moment: everything acknowledged is there, and the folder opens without repair', async (context) => {
  const tried = await powerFailures(events, chosenCuts(events))
  const acknowledged = events.filter(({ is }) => is === 'acknowledged').length
  const syncs = events.filter(({ is }) => is === 'syncEnded').length
  context.diagnostic(
    `${syncs} syncs, ${acknowledged} acknowledgements; ${tried} states of the disk opened, seed ${seed}`,
  )
  assert.ok(acknowledged > 100 && syncs > 100 && tried >= 30)
})

test('a run whose WAL was not synced does not pass', async () => {
  const wals = new Set(events.flatMap((event) => (isWal(event) ? [event.file] : [])))
  const unsynced = events.filter((event) => !('thread' in event && wals.has(event.file)))
  assert.ok(unsynced.length < events.length)
  const last = unsynced.findLastIndex(({ is }) => is === 'acknowledged')
  await assert.rejects(powerFailures(unsynced, new Set([last])), /acknowledged|made anew|lacks|damaged|missing/)
})

/** First start, enrollments and registrations enough for checkpoints, a stop, a kill, and starts after both. */
async function recordedRun(): Promise<Event[]> {
  const recording = join(root, 'recording')
  const library = compileRecorder(root)
  const folders = join(root, 'data')
  mkdirSync(folders)
  const environment = { LD_PRELOAD: library, RECORDED_FOLDER: folders, RECORDING: recording, TMPDIR: folders }
  const before = Object.fromEntries(Object.keys(environment).map((name) => [name, process.env[name]]))
  Object.assign(process.env, environment)
  await using service = await startService({ network })
  const told = (what: Acknowledged) => acknowledge(recording, what)
  const ready = () => told({ is: 'ready', idScope: asIdScope(service.idScope), ca: service.ca })
  ready()
  const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: groupKey, secondaryKey: newKey() } }
  await service.operate('PUT', '/enrollmentGroups/fleet', { enrollmentGroupId: 'fleet', attestation })
  await work(service, 'first', told)
  await service.stop()
  await service.restart()
  ready()
  await work(service, 'second', told)
  await service.kill9()
  await service.restart()
  ready()
  await work(service, 'third', told)
  await service.stop()
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
  return readRecording(recording, service.dataFolder)
}

async function work(service: Service, round: string, told: (what: Acknowledged) => void): Promise<void> {
  const lanes = Array.from({ length: 3 }, async (_, lane) => {
    for (let turn = 0; turn < 8; turn++) {
      const registrationId = `${round}-${lane}-${turn}`
      const body = { registrationId: `e-${registrationId}`, attestation: { type: 'symmetricKey' } }
      const { etag } = (await service.operate('PUT', `/enrollments/e-${registrationId}`, body)).json()
      told({ is: 'enrolled', registrationId: `e-${registrationId}`, etag: String(etag) })
      const hub = await register(service, registrationId)
      told({ is: 'assigned', registrationId, hub })
      if (turn % 4 !== 3) continue
      told({ is: 'deleting', registrationId: `e-${registrationId}` })
      await service.operate('DELETE', `/enrollments/e-${registrationId}`)
      told({ is: 'deleted', registrationId: `e-${registrationId}` })
    }
  })
  await Promise.all(lanes)
  // The checkpointer's turn comes every half second.
  await wait(1200)
}

async function register(service: Service, registrationId: string): Promise<string> {
  const resource = `${service.idScope}/registrations/${registrationId}`
  const authorization = sasToken(resource, derivedKey(groupKey, registrationId), { keyName: 'registration' })
  const path = `/${resource}/register?api-version=2019-03-31`
  const answer = await service.https({ method: 'PUT', path, body: { registrationId }, headers: { authorization } })
  const { status, registrationState } = answer.json() as { status: string; registrationState: { assignedHub: string } }
  assert.equal(status, 'assigned')
  return registrationState.assignedHub
}

/** Where to cut: before syncs end, and after acknowledgements. All of the first ones, when the folder is made; some of the others. */
function chosenCuts(happened: readonly Event[]): ReadonlySet<number> {
  const chance = seeded(seed)
  const cuts = happened.flatMap(({ is }, index) => (is === 'syncEnded' || is === 'acknowledged' ? [index] : []))
  const share = cutsTried / cuts.length
  const first = Math.floor(cutsTried / 2)
  return new Set(cuts.filter((_, index) => everywhere || index < first || chance() < share))
}

/** Cut the run there and at its end, and open what the disk may hold then; gives how many states that were. */
async function powerFailures(happened: readonly Event[], chosen: ReadonlySet<number>): Promise<number> {
  const chance = seeded(seed)
  const disk = new Disk()
  const told: Acknowledged[] = []
  let tried = 0
  for (const [index, event] of happened.entries()) {
    // What is being synced may have reached the disk or not; and what was acknowledged is on it.
    const isCut = chosen.has(index)
    if (isCut && event.is === 'syncEnded') tried += await failed(disk, told, `before event ${index}`, chance)
    disk.happen(event)
    if (event.is === 'acknowledged') told.push(event.what as Acknowledged)
    if (isCut && event.is === 'acknowledged') tried += await failed(disk, told, `after event ${index}`, chance)
  }
  return tried + (await failed(disk, told, 'at the end', chance))
}

async function failed(disk: Disk, told: readonly Acknowledged[], when: string, chance: () => number): Promise<number> {
  const more: readonly (readonly [string, Unsynced])[] = [
    ['everything', 'everything'],
    ['some', chance],
  ]
  const ways = [['nothing', 'nothing'] as const, ...(everywhere ? more : [more[chance() < 0.3 ? 0 : 1]!])]
  for (const [name, unsynced] of ways) {
    const folder = mkdtempSync(join(root, 'failed-'))
    disk.fail(folder, unsynced)
    try {
      await demandAll(folder, told)
    } catch (error) {
      rmSync(folder, { recursive: true })
      const what = error instanceof Error ? error.message : String(error)
      throw new Error(`${when}, with ${name} of what was not synced: ${what}`, { cause: error })
    }
    rmSync(folder, { recursive: true })
  }
  return ways.length
}

/** As the service opens it. */
async function demandAll(folder: string, told: readonly Acknowledged[]): Promise<void> {
  await using store = openSqliteStore(folder)
  const onFault = (fault: unknown) => assert.fail(String(fault))
  await using hubs = await openBundledHub({ directory: folder, hostNames: hubNames, clock: Date.now, onFault })
  const { caFile } = await serverCertificate(folder, [`${network}.1`], Date.now)
  const latest = new Map(told.map((what) => ['registrationId' in what ? what.registrationId : what.is, what]))
  const idScope = told.find((what) => what.is === 'ready')?.idScope ?? ''
  for (const what of latest.values()) {
    switch (what.is) {
      case 'ready':
        assert.equal(readFileSync(caFile, 'utf8'), what.ca, 'a CA that was shown is made anew')
        assert.ok(await store.services.byIdScope(idScope), `the instance ${idScope} was acknowledged`)
        break
      case 'enrolled':
        assert.equal(
          (await store.enrollments.get(asIdScope(idScope), what.registrationId))?.etag,
          what.etag,
          acknowledged(what),
        )
        break
      case 'deleting':
        break
      case 'deleted':
        assert.equal(
          await store.enrollments.get(asIdScope(idScope), what.registrationId),
          undefined,
          acknowledged(what),
        )
        break
      case 'assigned': {
        const found = await store.registrations.get(asIdScope(idScope), what.registrationId)
        assert.equal(found?.assignment?.assignedHub, what.hub, acknowledged(what))
        const identity = await ask(hubs, 'GET', `/devices/${what.registrationId}`, undefined, { host: what.hub })
        assert.equal(identity.status, 200, `${acknowledged(what)}, at its hub`)
        break
      }
    }
  }
}

function acknowledged({ is, registrationId }: Exclude<Acknowledged, { is: 'ready' | 'deleting' }>): string {
  return `${registrationId} was acknowledged as ${is}`
}

function isWal(event: Event): event is Extract<Event, { is: 'created' }> {
  return event.is === 'created' && event.name.endsWith('-wal')
}

/** mulberry32: numbers from 0 to 1 that are the same for the same seed. */
function seeded(start: number): () => number {
  let state = start
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
