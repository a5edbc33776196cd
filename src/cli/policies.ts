import type { Command } from 'commander'
import { command, group, type Run } from './command.ts'
import { CommandFailure } from './failure.ts'
import { print, tell, type Columns } from './print.ts'
import { listOf, objectOf, type JsonRecord } from './api-session.ts'

const columns: Columns = { Policy: 'keyName', Rights: 'rights' }

interface Wanted {
  readonly policyName: string
  readonly rights?: readonly string[]
  readonly primaryKey?: string
  readonly secondaryKey?: string
  readonly keyType?: string
}

/** `hubward policy …`, after `az iot dps policy`. */
export function policyCommands(): Command {
  const parent = group('policy', 'Shared access policies: keys with rights at the service API')
  const name = ['--pn, --policy-name <name>', 'the policy'] as const
  const settings = (of: Command) =>
    of
      .option(
        '-r, --rights <right...>',
        'ServiceConfig, EnrollmentRead, EnrollmentWrite, DeviceConnect, RegistrationStatusRead, RegistrationStatusWrite',
      )
      .option('--pk, --primary-key <base64>', 'made if not given')
      .option('--sk, --secondary-key <base64>', 'made if not given')
  settings(
    command<Wanted>(parent, 'create', 'Add a policy', async (run) => {
      const policies = await all(run)
      const { policyName, rights } = run.options
      if (policies.some((policy) => is(policy, policyName)))
        throw new CommandFailure(`There is a policy ${policyName} already.`)
      if (!rights)
        throw new CommandFailure('A policy needs rights.', 'Such as: --rights EnrollmentRead RegistrationStatusRead')
      await write(run, [...policies, changed({ keyName: policyName }, run.options)])
      await show(run)
    }).requiredOption(...name),
  )
  command(parent, 'list', 'List the policies with their keys', async (run) =>
    print(await all(run), columns, run.options),
  )
  command<Wanted>(parent, 'show', 'Show a policy with its keys', show).requiredOption(...name)
  settings(
    command<Wanted>(parent, 'update', 'Change a policy', async (run) => {
      await find(run)
      const { policyName } = run.options
      const policies = await all(run)
      await write(
        run,
        policies.map((policy) => (is(policy, policyName) ? changed(policy, run.options) : policy)),
      )
      await show(run)
    }).requiredOption(...name),
  )
  command<Wanted>(parent, 'regenerate', 'Give a policy a new key', async (run) => {
    const { id } = await run.session.instance()
    const { policyName, keyType } = run.options
    const path = `${id}/keys/${encodeURIComponent(policyName)}/regenerate`
    print(objectOf(await run.session.management('POST', path, { body: { keyType } })), columns, run.options)
  })
    .requiredOption(...name)
    .option('--key-type <text>', 'primary or secondary', 'primary')
  command<Wanted>(parent, 'delete', 'Delete a policy', async (run) => {
    await find(run)
    const rest = (await all(run)).filter((policy) => !is(policy, run.options.policyName))
    if (rest.length === 0)
      throw new CommandFailure(
        'The last policy cannot be deleted.',
        'Switch shared keys off instead: hubward instance update --disable-local-auth true',
      )
    await write(run, rest)
    tell(`${run.options.policyName} is deleted.`)
  }).requiredOption(...name)
  return parent
}

async function all({ session }: Run<object>): Promise<readonly JsonRecord[]> {
  return listOf(await session.management('POST', `${(await session.instance()).id}/listkeys`))
}

async function find(run: Run<Wanted>): Promise<JsonRecord> {
  const policies = await all(run)
  const policy = policies.find((one) => is(one, run.options.policyName))
  if (policy) return policy
  const names = policies.map(({ keyName }) => keyName).join(', ')
  throw new CommandFailure(`There is no policy ${run.options.policyName}.`, `There are: ${names}.`)
}

async function show(run: Run<Wanted>): Promise<void> {
  print(await find(run), { ...columns, 'Primary key': 'primaryKey', 'Secondary key': 'secondaryKey' }, run.options)
}

async function write({ session }: Run<object>, authorizationPolicies: readonly JsonRecord[]): Promise<void> {
  const { id, etag } = await session.instance()
  await session.management('PUT', id, { body: { properties: { authorizationPolicies } }, ifMatch: etag })
}

function changed(policy: JsonRecord, { rights, primaryKey, secondaryKey }: Wanted): JsonRecord {
  return {
    ...policy,
    ...(rights && { rights: rights.join(', ') }),
    ...(primaryKey !== undefined && { primaryKey }),
    ...(secondaryKey !== undefined && { secondaryKey }),
  }
}

function is({ keyName }: JsonRecord, wanted: string): boolean {
  return String(keyName).toLowerCase() === wanted.toLowerCase()
}
