import type { Command } from 'commander'
import { command, group } from './command.ts'
import { CommandFailure } from './failure.ts'
import { print, tell, type Columns } from './print.ts'
import { listOf, objectOf } from './api-session.ts'

const columns: Columns = {
  ID: 'id',
  Description: 'description',
  Roles: (row) =>
    (row['assignments'] as { role: string; scope: string }[]).map(({ role, scope }) => `${role}@${scope}`).join(' '),
  Expires: 'expiresDateTimeUtc',
}

interface Wanted {
  readonly description: string
  readonly role: readonly string[]
  readonly days?: string
  readonly id: string
}

/** `hubward token …`: who may call. For Owners. */
export function tokenCommands(): Command {
  const parent = group('token', 'Bearer tokens: who may call the control plane and the service API')
  command<Wanted>(parent, 'create', 'Give out a token; no later call shows it', async ({ options, session }) => {
    const assignments = options.role.map((text) => {
      const [role, scope = '*'] = text.split('@')
      return { role, scope }
    })
    const expiresInDays = options.days === undefined ? undefined : Number(options.days)
    if (expiresInDays !== undefined && !(expiresInDays > 0))
      throw new CommandFailure(`--days ${options.days} is no number of days.`)
    const body = { description: options.description, assignments, expiresInDays }
    const made = objectOf(await session.management('POST', '/admin/v1/tokens', { body }))
    print(made, { ...columns, Token: 'token' }, options)
  })
    .requiredOption(
      '--role <role...>',
      'role, or role@instance: Owner, Contributor, Reader, DataContributor or DataReader',
    )
    .option('--description <text>', 'whose it is', '')
    .option('--days <number>', 'until it expires')
  command(parent, 'list', 'List the tokens that were given out', async ({ options, session }) => {
    print(listOf(await session.management('GET', '/admin/v1/tokens')), columns, options)
  })
  command<Wanted>(parent, 'revoke', 'End a token', async ({ options, session }) => {
    await session.management('DELETE', `/admin/v1/tokens/${encodeURIComponent(options.id)}`)
    tell(`${options.id} is revoked.`)
  }).requiredOption('--id <id>', 'from the list')
  return parent
}
