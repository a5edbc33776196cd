import type { Command } from 'commander'
import { command, group } from './command.ts'
import { print, tell, type Columns } from './print.ts'
import { objectOf, type JsonRecord } from './api-session.ts'

const columns: Columns = {
  'Registration ID': 'registrationId',
  Status: 'status',
  Hub: 'assignedHub',
  'Device ID': 'deviceId',
  Changed: 'lastUpdatedDateTimeUtc',
  Error: 'errorMessage',
}

interface Wanted {
  readonly registrationId: string
  readonly enrollmentId: string
}

/** `hubward registration …`: what became of devices, after `az iot dps enrollment-group registration`. */
export function registrationCommands(): Command {
  const parent = group('registration', 'Registrations: what became of the devices that asked')
  const id = ['--rid, --registration-id <id>', 'the device'] as const
  const pathOf = ({ registrationId }: Wanted) => `/registrations/${encodeURIComponent(registrationId)}`
  command<Wanted>(parent, 'show', 'Show the registration of a device', async ({ options, session }) => {
    print(objectOf(await session.service('GET', pathOf(options))), columns, options)
  }).requiredOption(...id)
  command<Wanted>(parent, 'list', 'List the registrations of a group', async ({ options, session }) => {
    const path = `/registrations/${encodeURIComponent(options.enrollmentId)}/query`
    const found: JsonRecord[] = []
    for (let continuation = ''; ;) {
      const more = continuation !== '' && { 'x-ms-continuation': continuation }
      const response = await session.service('POST', path, { headers: { 'x-ms-max-item-count': '500', ...more } })
      found.push(...(JSON.parse(response.text) as JsonRecord[]))
      continuation = String(response.headers['x-ms-continuation'] ?? '')
      if (continuation === '') break
    }
    print(found, columns, options)
  }).requiredOption('--eid, --enrollment-id <id>', 'the enrollment group')
  command<Wanted>(
    parent,
    'delete',
    'Forget a registration; the device may register anew',
    async ({ options, session }) => {
      await session.service('DELETE', pathOf(options))
      tell(`The registration of ${options.registrationId} is forgotten. Its identity at the hub stays.`)
    },
  ).requiredOption(...id)
  return parent
}
