import type { Command } from 'commander'
import { command, flag, group, type Run } from './command.ts'
import { CommandFailure } from './failure.ts'
import { print, tell, type Columns } from './print.ts'
import { objectOf, subscription, type ShownInstance, type JsonRecord } from './api-session.ts'

const columns: Columns = {
  Name: 'name',
  'ID scope': 'properties.idScope',
  'Service host': 'properties.serviceOperationsHostName',
  Allocation: 'properties.allocationPolicy',
  Hubs: (row) => (row as ShownInstance).properties.iotHubs.length,
  'Resource group': 'resourcegroup',
}

interface Wanted {
  readonly resourceGroup: string
  readonly location?: string
  readonly tags?: readonly string[]
  readonly allocationPolicy?: string
  readonly disableLocalAuth?: boolean
  readonly publicNetworkAccess?: string
  readonly hostName?: readonly string[]
  readonly ipFilter?: readonly string[]
  readonly yes?: boolean
}

/** `hubward instance …`: provisioning services, after `az iot dps create|list|show|update|delete`. */
export function instanceCommands(): Command {
  const parent = group('instance', 'Provisioning services: tenants with an ID scope, hubs and enrollments of their own')
  const settings = (of: Command) =>
    of
      .option('-l, --location <text>', 'where it stands; shown only')
      .option('--tags <name=value...>', 'tags, instead of the present ones')
      .option('--ap, --allocation-policy <name>', 'Hashed, GeoLatency or Static')
      .option('--disable-local-auth <true|false>', 'refuse shared keys, take bearer tokens only', flag)
      .option('--public-network-access <text>', 'Enabled, or Disabled: from private addresses only')
      .option('--host-name <name...>', 'names of its service API, instead of the present ones')
      .option(
        '--ip-filter <rule...>',
        'accept|reject:<address/prefix>[:all|serviceApi|deviceApi], in order; "none" for none',
      )
  const create = command<Wanted>(parent, 'create <name>', 'Create an instance', async ({ options, session }, name) => {
    const id = `/subscriptions/${subscription}/resourceGroups/${options.resourceGroup}/providers/Microsoft.Devices/provisioningServices/${name}`
    const exists = (await session.instances()).some((one) => one.name.toLowerCase() === name?.toLowerCase())
    if (exists)
      throw new CommandFailure(
        `There is an instance ${name} already.`,
        `Change it with "hubward instance update ${name}".`,
      )
    const body = { location: 'local', sku: { name: 'S1', capacity: 1 }, ...bodyOf(options) }
    print(objectOf(await session.management('PUT', id, { body })), columns, options)
  })
  settings(create).option('-g, --resource-group <name>', 'resource group', 'hubward')
  command(parent, 'list', 'List the instances that you may see', async ({ options, session }) => {
    print(await session.instances(), columns, options)
  })
  command(parent, 'show [name]', 'Show an instance', async (run, name) => {
    print(await named(run, name), columns, run.options)
  })
  settings(
    command<Wanted>(parent, 'update [name]', 'Change an instance; what is not named stays', async (run, name) => {
      const { id } = await named(run, name)
      print(objectOf(await run.session.management('PUT', id, { body: bodyOf(run.options) })), columns, run.options)
    }),
  )
  command<Wanted>(parent, 'delete <name>', 'Delete an instance with everything in it', async (run, name) => {
    const { id, properties } = await named(run, name)
    if (!run.options.yes) {
      throw new CommandFailure(
        `${name} (${properties.idScope}) would go with all its enrollments and registrations, and its ID scope for ever.`,
        'If that is meant, say it again with --yes.',
      )
    }
    await run.session.management('DELETE', id)
    tell(`${name} is deleted.`)
  }).option('-y, --yes', 'do it')
  return parent
}

/** The instance of this name, or the one of --dps-name. */
async function named({ session, options }: Run<object>, name: string | undefined): Promise<ShownInstance> {
  if (name === undefined || name === 'undefined') return session.instance()
  const found = (await session.instances()).find((one) => one.name.toLowerCase() === name.toLowerCase())
  if (found) return found
  throw new CommandFailure(
    `There is no instance ${name}.`,
    `List them with "hubward instance list --data ${options.data}".`,
  )
}

function bodyOf(wanted: Wanted): JsonRecord {
  const { location, tags, allocationPolicy, disableLocalAuth, publicNetworkAccess, hostName, ipFilter } = wanted
  return {
    ...(location !== undefined && { location }),
    ...(tags && { tags: Object.fromEntries(tags.map((tag) => tag.split(/=(.*)/s, 2))) }),
    properties: {
      allocationPolicy,
      disableLocalAuth,
      publicNetworkAccess,
      hostNames: hostName,
      ...(ipFilter && { ipFilterRules: ipFilter[0] === 'none' ? [] : ipFilter.map(ruleOf) }),
    },
  }
}

function ruleOf(text: string, index: number): JsonRecord {
  const [, action = '', ipMask, target = 'all'] =
    /^(accept|reject):(.+?)(?::(all|serviceApi|deviceApi))?$/i.exec(text) ?? []
  if (ipMask === undefined)
    throw new CommandFailure(`--ip-filter ${text} is no rule.`, 'Such as: reject:0.0.0.0/0:deviceApi')
  return {
    filterName: `rule-${index + 1}`,
    action: action[0]!.toUpperCase() + action.slice(1).toLowerCase(),
    ipMask,
    target,
  }
}
