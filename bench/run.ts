import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deviceKeys, makeDevices, type Devices } from './devices.ts'
import { scenarios, type Scenario } from './scenarios.ts'
import { startServer, type Server } from './server.ts'

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 5)
const registrations = Number(process.env['BENCH_REGISTRATIONS'] ?? 300)
/** A storm, as after a power cut: commits are shared by those that wait together. */
const atOnce = 64

/**
 * Server CPU for one registration, beside the CPU that a bare TLS server needs for the handshake alone, with the same
 * certificates, in the same run: rounds of both take turns, and the medians are compared. Clients are not counted.
 */
async function bench(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hubward-bench-'))
  try {
    await using hubward = await startServer('hubward', folder)
    await using floor = await startServer('floor', folder)
    const devices = await makeDevices(hubward, rounds * registrations)
    const costs = new Map<string, number[]>()
    const record = (name: string, cost: number) => costs.set(name, [...(costs.get(name) ?? []), cost])

    for (const scenario of scenarios) await measure(scenario, hubward, floor, devices, 0, 50) // warm
    for (let round = 0; round < rounds; round++) {
      for (const scenario of scenarios) {
        const cost = await measure(scenario, hubward, floor, devices, round, registrations)
        record(scenario.name, cost.registration)
        record(`${scenario.name} floor`, cost.floor)
      }
    }
    print(costs)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Milliseconds of server CPU for one handshake at the floor, and for one registration. */
async function measure(
  scenario: Scenario,
  hubward: Server,
  floor: Server,
  devices: Devices,
  round: number,
  count: number,
): Promise<{ floor: number; registration: number }> {
  const prefix = `${scenario.name.replaceAll(/\W+/g, '-')}-${round}-${count}`
  const keys = deviceKeys(devices, scenario.credential, prefix, count, round)
  const cpu = async (server: Server, run: (index: number) => Promise<void>) => {
    const before = await server.cpu()
    await each(count, run)
    return ((await server.cpu()) - before) / count / 1000
  }
  return {
    floor: await cpu(floor, (index) => scenario.handshake(floor, keys[index]!)),
    registration: await cpu(hubward, (index) => scenario.register(hubward, keys[index]!)),
  }
}

async function each(count: number, run: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    for (let index = next++; index < count; index = next++) await run(index)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

function print(costs: ReadonlyMap<string, readonly number[]>): void {
  console.log(`CPU of the server in ms, median of ${rounds} rounds of ${registrations}; ratio = floor / registration`)
  console.log(
    `${'registration'.padEnd(28)}${'floor'.padStart(8)}${'ours'.padStart(8)}${'ratio'.padStart(8)}${'per CPU second'.padStart(16)}`,
  )
  for (const { name } of scenarios) {
    const floor = median(costs.get(`${name} floor`) ?? [])
    const ours = median(costs.get(name) ?? [])
    const cells = [floor.toFixed(3), ours.toFixed(3), (floor / ours).toFixed(2)].map((cell) => cell.padStart(8))
    console.log(
      `${name.padEnd(28)}${cells.join('')}${Math.round(1000 / ours)
        .toString()
        .padStart(16)}`,
    )
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

await bench()
