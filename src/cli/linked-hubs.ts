import type { Command } from 'commander'
import { command, flag, group, type Run } from './command.ts'
import { CommandFailure } from './failure.ts'
import { print, tell, type Columns } from './print.ts'
import { membersOf, objectOf, type ShownInstance, type JsonRecord } from './api-session.ts'

const columns: Columns = {
  Hub: 'name',
  Weight: 'allocationWeight',
  Allocates: 'applyAllocationPolicy',
  Location: 'location',
}

interface Wanted {
  readonly connectionString?: string
  readonly location?: string
  readonly allocationWeight?: string
  readonly applyAllocationPolicy?: boolean
  readonly linkedHub: string
}

type Hub = ShownInstance['properties']['iotHubs'][number]

/** `hubward linked-hub …`, after `az iot dps linked-hub`. */
export function linkedHubCommands(): Command {
  const parent = group('linked-hub', 'IoT hubs to which an instance assigns devices')
  const settings = (of: Command) =>
    of
      .option('-l, --location <text>', 'where it stands, for allocation by latency')
      .option('--allocation-weight <number>', '1 to 1000: its share of devices')
      .option('--apply-allocation-policy <true|false>', 'whether devices are allocated to it', flag)
  settings(
    command<Wanted>(parent, 'create', 'Link a hub', async (run) => {
      const { connectionString = '' } = run.options
      const name = membersOf(connectionString)['HostName'] ?? ''
      await write(run, (hubs) => [
        ...hubs.filter((hub) => !is(hub, name)),
        { ...changed({}, run.options), connectionString },
      ])
      await show(run, name)
    }).requiredOption('--cs, --connection-string <text>', "the hub's service connection string"),
  )
  command(parent, 'list', 'List the linked hubs', async ({ session, options }) => {
    print((await session.instance()).properties.iotHubs, columns, options)
  })
  const which = ['--linked-hub <name>', 'its host name, or the first part of it'] as const
  command<Wanted>(parent, 'show', 'Show a linked hub', (run) => show(run, run.options.linkedHub)).requiredOption(
    ...which,
  )
  settings(
    command<Wanted>(parent, 'update', 'Change a linked hub', async (run) => {
      const { linkedHub } = run.options
      await write(run, (hubs) => hubs.map((hub) => (is(hub, linkedHub) ? changed(hub, run.options) : hub)))
      await show(run, linkedHub)
    }).requiredOption(...which),
  )
  command<Wanted>(parent, 'delete', 'Unlink a hub; devices that are there stay there', async (run) => {
    const { linkedHub } = run.options
    await write(run, (hubs) => hubs.filter((hub) => !is(hub, linkedHub)))
    tell(`${linkedHub} is no longer linked.`)
  }).requiredOption(...which)
  return parent
}

async function show({ session, options }: Run<object>, name: string): Promise<void> {
  print(find(await session.instance(), name), columns, options)
}

/** Keys that were read masked are written masked, which keeps them. */
async function write(
  { session, options }: Run<Wanted>,
  change: (hubs: readonly Hub[]) => readonly JsonRecord[],
): Promise<void> {
  const instance = await session.instance()
  if (options.linkedHub !== undefined) find(instance, options.linkedHub)
  const iotHubs = change(instance.properties.iotHubs)
  objectOf(await session.management('PUT', instance.id, { body: { properties: { iotHubs } }, ifMatch: instance.etag }))
}

function find({ name, properties: { iotHubs } }: ShownInstance, wanted: string): Hub {
  const hub = iotHubs.find((one) => is(one, wanted))
  if (hub) return hub
  const names = iotHubs.map((one) => one.name).join(', ') || 'none'
  throw new CommandFailure(`${name} has no linked hub ${wanted}.`, `It has: ${names}.`)
}

function changed(hub: JsonRecord, { location, allocationWeight, applyAllocationPolicy }: Wanted): JsonRecord {
  return {
    ...hub,
    ...(location !== undefined && { location }),
    ...(allocationWeight !== undefined && { allocationWeight: Number(allocationWeight) }),
    ...(applyAllocationPolicy !== undefined && { applyAllocationPolicy }),
  }
}

function is({ name }: Hub, wanted: string): boolean {
  const [a, b] = [name.toLowerCase(), wanted.toLowerCase()]
  return a === b || a.split('.')[0] === b
}
