import type { Command } from 'commander'
import { command, group } from './command.ts'
import { CommandFailure } from './failure.ts'
import { print, tell, type Columns } from './print.ts'
import { listOf, objectOf, type JsonRecord } from './api-session.ts'

interface Rule extends JsonRecord {
  readonly claim: string
  readonly value: string
  readonly role: string
  readonly scope: string
}

const columns: Columns = {
  Name: 'name',
  Issuer: 'issuer',
  Audiences: (row) => (row['audiences'] as string[]).join(' '),
  Rules: (row) =>
    (row['rules'] as Rule[]).map(({ claim, value, role, scope }) => `${claim}=${value}:${role}@${scope}`).join(' '),
}

interface Wanted {
  readonly name: string
  readonly issuer: string
  readonly jwksUrl: string
  readonly audience?: readonly string[]
  readonly rule: readonly string[]
}

/** `hubward issuer …`: whose tokens are believed beside Hubward's own. For Owners. */
export function issuerCommands(): Command {
  const parent = group('issuer', 'OIDC issuers whose tokens are believed, and what their claims allow')
  command<Wanted>(parent, 'create', 'Trust an issuer, or change what is trusted', async ({ options, session }) => {
    const { name, issuer, jwksUrl, audience, rule } = options
    const body = { issuer, jwksUrl, audiences: audience, rules: rule.map(ruleOf) }
    const path = `/admin/v1/issuers/${encodeURIComponent(name)}`
    print(objectOf(await session.management('PUT', path, { body })), columns, options)
  })
    .requiredOption('--name <name>', 'what to call it')
    .requiredOption('--issuer <url>', 'the iss claim of its tokens, exactly')
    .requiredOption('--jwks-url <url>', 'where its keys are')
    .option(
      '--audience <text...>',
      'one of these is in the aud claim; without it, the audience that Azure SDKs ask for',
    )
    .requiredOption(
      '--rule <rule...>',
      '<claim>=<value>:<role>[@<instance>], such as groups=operators:DataContributor@acme',
    )
  command(parent, 'list', 'List the issuers that are trusted', async ({ options, session }) => {
    print(listOf(await session.management('GET', '/admin/v1/issuers')), columns, options)
  })
  command<Wanted>(parent, 'delete', 'Trust an issuer no more', async ({ options, session }) => {
    await session.management('DELETE', `/admin/v1/issuers/${encodeURIComponent(options.name)}`)
    tell(`${options.name} is no longer trusted.`)
  }).requiredOption('--name <name>', 'from the list')
  return parent
}

/** The value may hold colons, as group names do: the role is what follows the last one. */
function ruleOf(text: string): Rule {
  const [, claim, value, role, scope = '*'] = /^([^=]+)=(.+):([A-Za-z]+)(?:@([^@]+))?$/.exec(text) ?? []
  if (claim && value && role) return { claim, value, role, scope }
  throw new CommandFailure(`--rule ${text} is no rule.`, 'Such as: groups=operators:DataContributor@acme')
}
