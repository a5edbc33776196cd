import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { command, group } from './command.ts'
import { readText } from './common-options.ts'
import { print, tell, type Columns } from './print.ts'
import { listOf, objectOf, type JsonRecord } from './api-session.ts'

const columns: Columns = {
  Key: 'key',
  Reason: 'reason',
  Source: 'source',
  Since: 'createdDateTimeUtc',
}

interface Wanted {
  readonly registrationId?: string
  readonly thumbprint?: string
  readonly serialNumber?: string
  readonly endorsementKey?: string
  readonly reason: string
  readonly key: string
}

/** `hubward revocation …`: devices that may never register again. */
export function revocationCommands(): Command {
  const parent = group('revocation', 'Devices and certificates that may never register again')
  command<Wanted>(
    parent,
    'create',
    'Deny a device and disable its identity at the hub',
    async ({ options, session }) => {
      const { registrationId, thumbprint, serialNumber, endorsementKey, reason } = options
      const body = { registrationId, thumbprint, serialNumber, endorsementKey, reason }
      const { id } = await session.instance()
      const { revocations, devices } = objectOf<{ revocations: JsonRecord[]; devices: JsonRecord[] } & JsonRecord>(
        await session.management('POST', `${id}/revoke`, { body }),
      )
      print(revocations, columns, options)
      for (const { deviceId, assignedHub, identity, detail } of devices) {
        tell(`${String(deviceId)} at ${String(assignedHub)}: ${String(identity)} ${String(detail ?? '')}`)
      }
    },
  )
    .option('--rid, --registration-id <id>', 'the device')
    .option('--thumbprint <hex>', 'SHA-1 or SHA-256 of a certificate: of the device, or of a CA above many')
    .option('--serial-number <hex>', 'serial number of a certificate')
    .option('--ek, --endorsement-key <base64>', 'of a TPM')
    .requiredOption('--reason <text>', 'for the record')
  command(parent, 'list', 'List what is revoked', async ({ options, session }) => {
    const { id } = await session.instance()
    print(listOf(await session.management('GET', `${id}/revocations`)), columns, options)
  })
  command<Wanted>(
    parent,
    'delete',
    'Take something off the deny list; its hub identity stays as it is',
    async ({ options, session }) => {
      const { id } = await session.instance()
      await session.management('DELETE', `${id}/revocations/${encodeURIComponent(options.key)}`)
      tell(`${options.key} is no longer revoked.`)
    },
  ).requiredOption('--key <text>', 'from the list')
  command<ListWanted>(
    parent,
    'import',
    'Revoke what a certificate revocation list says',
    async ({ options, session }) => {
      const { id } = await session.instance()
      const { name, path, url } = options
      const body = path === undefined ? { url } : { revocationList: listAt(path) }
      const at = `${id}/revocationLists/${encodeURIComponent(name)}`
      print(objectOf(await session.management('PUT', at, { body })), listColumns, options)
    },
  )
    .requiredOption('--name <name>', 'what to call the list; a later import under this name replaces it')
    .option('-p, --path <file>', 'the list, PEM or DER')
    .option('--url <url>', 'where to fetch it, now and every hour')
  command(parent, 'lists', 'List the imported revocation lists', async ({ options, session }) => {
    const { id } = await session.instance()
    print(listOf(await session.management('GET', `${id}/revocationLists`)), listColumns, options)
  })
  command<ListWanted>(parent, 'forget', 'Forget an imported list and what it revoked', async ({ options, session }) => {
    const { id } = await session.instance()
    await session.management('DELETE', `${id}/revocationLists/${encodeURIComponent(options.name)}`)
    tell(`${options.name} is forgotten.`)
  }).requiredOption('--name <name>', 'the list')
  return parent
}

interface ListWanted {
  readonly name: string
  readonly path?: string
  readonly url?: string
}

const listColumns: Columns = {
  Name: 'name',
  Issuer: 'issuer',
  Revoked: 'revoked',
  'Next update': 'nextUpdate',
  URL: 'url',
}

function listAt(path: string): string {
  const text = readText(path, '--path')
  return text.includes('-----BEGIN') ? text : readFileSync(path).toString('base64')
}
