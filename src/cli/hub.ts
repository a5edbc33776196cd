import type { Command } from 'commander'
import { command, group } from './command.ts'
import { print, tell, type Columns } from './print.ts'
import { listOf, objectOf, type JsonRecord } from './api-session.ts'

const links: Columns = { Hub: 'hostName', State: 'state', Since: 'since', Latency: 'latency', Said: 'detail' }
const drift: Columns = { Device: 'deviceId', Registration: 'registrationId', Drift: 'kind', Repair: 'repair' }

interface Wanted {
  readonly hub: string
  readonly repair?: string
  readonly registrationId: string
  readonly enrollment: string
  readonly identity: string
}

/** `hubward hub …`: what stands in the linked hubs, and whether they can be reached. */
export function hubCommands(): Command {
  const parent = group('hub', 'The links to IoT hubs, and what stands in their registries')
  command(parent, 'list', 'Whether each linked hub can be reached, and since when', async ({ options, session }) => {
    const { id } = await session.instance()
    print(listOf(await session.management('GET', `${id}/links`)), links, options)
  })
  command<Wanted>(parent, 'reconcile', 'Compare registrations with a hub’s registry', async ({ options, session }) => {
    const { id } = await session.instance()
    const repair = options.repair?.split(',').map((kind) => kind.trim()) ?? []
    const path = `${id}/links/${encodeURIComponent(options.hub)}/reconcile`
    const { checked, drifts } = objectOf<{ checked: number; drifts: JsonRecord[] } & JsonRecord>(
      await session.management('POST', path, { body: { repair } }),
    )
    print(drifts, drift, options)
    tell(`${checked} devices were compared, ${drifts.length} are adrift.`)
  })
    .requiredOption('--hub <name>', 'its host name')
    .option('--repair <kinds>', 'what to put right: missing, disabled, foreignKey, separated by commas')
  command<Wanted>(
    parent,
    'deprovision',
    'Take a device out of service: enrollment, registration and hub identity',
    async ({ options, session }) => {
      const { id } = await session.instance()
      const { registrationId, enrollment, identity } = options
      const path = `${id}/registrations/${encodeURIComponent(registrationId)}/deprovision`
      const done = objectOf<JsonRecord>(await session.management('POST', path, { body: { enrollment, identity } }))
      print(done, { Enrollment: 'enrollment', Registration: 'registration', Identity: 'identity' }, options)
    },
  )
    .requiredOption('--rid, --registration-id <id>', 'the device')
    .option('--enrollment <what>', 'disable, delete or keep its own enrollment', 'disable')
    .option('--identity <what>', 'remove, disable or keep its identity at the hub', 'remove')
  return parent
}
