import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import type { DeviceCredential, DeviceRunner, DeviceTransport, ProvisioningResult } from '../../sdk/runner.ts'
import { attestationKinds, type AttestationKind, type Enrolled } from '../fixtures/enrollments.ts'
import { startService } from '../fixtures/service.ts'
import { openTpmKind } from '../fixtures/tpm-enrollment.ts'
import { sdks, type Sdk } from './sdks.ts'

/** What one device of a cell does, and what must come of it. */
interface Cell {
  /** How the SDK puts it when it is not assigned. */
  readonly expected: Pick<Sdk, 'disabled' | 'refused'>
  readonly registrationId: string
  readonly enrolled: Enrolled
  readonly enroll: (status: 'enabled' | 'disabled') => Promise<unknown>
  readonly provision: (credential: DeviceCredential, connect?: boolean) => Promise<ProvisioningResult>
}

const outcomes: Readonly<Record<string, (cell: Cell) => Promise<void>>> = {
  'is assigned to a hub and reads its initial twin there': async (cell) => {
    await cell.enroll('enabled')
    const result = await cell.provision(cell.enrolled.credential, true)
    assertAssigned(cell, result)
    assert.equal(result.twin?.desired['cell'], cell.registrationId)
  },
  'is told that its enrollment is disabled': async (cell) => {
    await cell.enroll('disabled')
    assertError(await cell.provision(cell.enrolled.credential), cell.expected.disabled)
  },
  'is refused with a forged credential': async (cell) => {
    await cell.enroll('enabled')
    assertError(await cell.provision(cell.enrolled.forged), cell.expected.refused)
  },
  'is refused when nobody has enrolled it': async (cell) => {
    assertError(await cell.provision(cell.enrolled.credential), cell.expected.refused)
  },
  'keeps its hub when it registers again': async (cell) => {
    await cell.enroll('enabled')
    const first = await cell.provision(cell.enrolled.credential)
    assertAssigned(cell, first)
    const again = await cell.provision(cell.enrolled.credential, true)
    assertAssigned(cell, again)
    const { substatus } = (await service.operate('GET', `/registrations/${cell.registrationId}`)).json()
    assert.equal(substatus, 'reprovisionedToInitialAssignment', 'the service knows better')
    assert.equal(again.assignedHub, first.assignedHub)
    assert.equal(again.twin?.desired['cell'], cell.registrationId)
  },
}

const network = '127.30.10'
const hubs = [`${network}.2`, `${network}.3`]
const passed = new Set<string>()
let devices = 0
let lastOfTpm: Promise<unknown> = Promise.resolve()

/** The Node SDK takes whatever is not a challenge for a server's mistake, and does not say what it was. */
const unchallenged = /^InvalidOperationError: The server did NOT respond with an unauthorized error/

/** Over AMQP the Node SDK waits for its TPM's challenge for ever when SASL ends before it; test/tpm has those cells. */
const afterItsChallenge = [
  'is assigned to a hub and reads its initial twin there',
  'keeps its hub when it registers again',
]

const service = await startService({ network })
const tpm = await openTpmKind(['127.30.10.4', '127.30.10.5'])
after(async () => {
  await tpm[Symbol.asyncDispose]()
  await service[Symbol.asyncDispose]()
  printTable()
})

for (const sdk of sdks) {
  const runner = await sdk.open({ caFile: service.caFile })
  describe(`the ${sdk.name} SDK`, { concurrency: 8 }, () => {
    after(() => runner[Symbol.asyncDispose]())
    for (const { transport, kind, prove, name } of cellsOf(sdk)) {
      test(name, async () => {
        await prove(await cell({ sdk, runner, transport, kind }))
        passed.add(name)
      })
    }
  })
}

interface Coordinates {
  readonly transport: DeviceTransport
  readonly kind: AttestationKind
  readonly prove: (cell: Cell) => Promise<void>
  readonly name: string
}

function cellsOf(sdk: Sdk): Coordinates[] {
  return sdk.transports.flatMap((transport) =>
    kindsOf(sdk, transport).flatMap((kind) =>
      Object.entries(outcomes)
        .filter(([outcome]) => kind !== tpm || transport === 'http' || afterItsChallenge.includes(outcome))
        .map(([outcome, prove]) => {
          const name = `${sdk.name} over ${transport} with ${kind.name} ${outcome}`
          return { transport, kind, prove, name }
        }),
    ),
  )
}

/** No SDK has TPMs over MQTT, and Python has none at all. [device-wire §10] */
function kindsOf({ name }: Sdk, transport: DeviceTransport): readonly AttestationKind[] {
  return name === 'Node' && !transport.startsWith('mqtt') ? [...attestationKinds, tpm] : attestationKinds
}

async function cell(at: {
  sdk: Sdk
  runner: DeviceRunner
  transport: DeviceTransport
  kind: AttestationKind
}): Promise<Cell> {
  const { sdk, runner, transport, kind } = at
  const registrationId = `device-${++devices}`
  const enrolled = await kind.prepare(registrationId)
  const { host, idScope } = { host: service.deviceHost, idScope: service.idScope }
  const hubTransport = transport.endsWith('-ws') ? 'mqtt-ws' : 'mqtt'
  return {
    expected: kind === tpm ? { disabled: unchallenged, refused: unchallenged } : sdk,
    registrationId,
    enrolled,
    enroll: (provisioningStatus) => {
      const initialTwin = { tags: {}, properties: { desired: { cell: registrationId } } }
      const reprovisionPolicy = { updateHubAssignment: true, migrateDeviceData: true }
      const entry = { ...enrolled.body, provisioningStatus, initialTwin, reprovisionPolicy }
      return service.operate('PUT', enrolled.path, entry)
    },
    provision: (attestation, connect = false) => {
      const run = () => runner.run({ host, idScope, registrationId, transport, attestation, connect, hubTransport })
      return 'tpm' in attestation ? oneAfterAnother(run) : run()
    },
  }
}

/** A TPM has one slot for the key of a device. */
function oneAfterAnother<T>(run: () => Promise<T>): Promise<T> {
  const result = lastOfTpm.then(run)
  lastOfTpm = result.catch(() => undefined)
  return result
}

/** Both SDKs send api-version 2019-03-31, which never sees another substatus on the hub it had. [service-wire §10.4] */
function assertAssigned(cell: Cell, result: ProvisioningResult): void {
  assert.equal(result.error, undefined)
  assert.equal(result.status, 'assigned')
  assert.equal(result.substatus, 'initialAssignment')
  assert.equal(result.deviceId, cell.registrationId)
  assert.ok(hubs.includes(result.assignedHub ?? ''), `${result.assignedHub} is one of the linked hubs`)
}

function assertError({ ok, error }: ProvisioningResult, expected: RegExp): void {
  assert.equal(ok, false)
  assert.match(`${error?.name}: ${error?.message}`, expected)
}

function printTable(): void {
  const heads = ['assigned', 'disabled', 'forged', 'unknown', 'again']
  const rows = sdks.flatMap((sdk) =>
    sdk.transports.flatMap((transport) =>
      kindsOf(sdk, transport).map((kind) => {
        const cells = cellsOf(sdk).filter((cell) => cell.transport === transport && cell.kind === kind)
        const marks = Object.values(outcomes).map((prove) => {
          const cell = cells.find((cell) => cell.prove === prove)
          return (cell ? (passed.has(cell.name) ? 'ok' : 'FAILED') : '–').padEnd(10)
        })
        return `${`${sdk.name} ${transport}, ${kind.name}`.padEnd(64)}${marks.join('')}`
      }),
    ),
  )
  const total = sdks.flatMap(cellsOf).length
  console.log([' '.repeat(64) + heads.map((head) => head.padEnd(10)).join(''), ...rows].join('\n'))
  console.log(`${passed.size} of ${total} cells hold`)
}
