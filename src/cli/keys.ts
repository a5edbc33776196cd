import type { Command } from 'commander'
import { command, group } from './command.ts'
import { CommandFailure } from './failure.ts'
import { print } from './print.ts'
import { hmac, objectOf, type JsonRecord } from './api-session.ts'

interface Wanted {
  readonly registrationId: string
  readonly key?: string
  readonly enrollmentId?: string
}

/** `hubward key derive`, after `az iot dps enrollment-group compute-device-key`. */
export function keyCommands(): Command {
  const parent = group('key', 'Keys of the devices of symmetric-key groups')
  command<Wanted>(parent, 'derive', "Compute a device's key from its group's", async (run) => {
    const { registrationId, enrollmentId } = run.options
    const key =
      run.options.key ?? (enrollmentId === undefined ? undefined : await groupKey(run.session.service, enrollmentId))
    if (key === undefined) throw new CommandFailure('Whose key?', 'Give --key, or --enrollment-id of the group.')
    const derived = { registrationId, key: hmac(key, registrationId).toString('base64') }
    print(derived, { 'Registration ID': 'registrationId', Key: 'key' }, run.options)
  })
    .requiredOption('--rid, --registration-id <id>', 'the device')
    .option('--key <base64>', "the group's primary or secondary key")
    .option('--eid, --enrollment-id <id>', 'the group, whose primary key is then asked for')
  return parent
}

/** The primary key of a symmetric-key group. */
export async function groupKey(
  service: (
    method: string,
    path: string,
  ) => Promise<{ readonly status: number; readonly headers: JsonRecord; readonly text: string }>,
  enrollmentGroupId: string,
): Promise<string> {
  const path = `/enrollmentGroups/${encodeURIComponent(enrollmentGroupId)}/attestationmechanism`
  const { symmetricKey } = objectOf<{ symmetricKey?: { primaryKey?: string } } & JsonRecord>(
    (await service('POST', path)) as Parameters<typeof objectOf>[0],
  )
  if (symmetricKey?.primaryKey !== undefined) return symmetricKey.primaryKey
  throw new CommandFailure(
    `${enrollmentGroupId} is no symmetric-key group.`,
    'Its devices have certificates; there are no keys to derive.',
  )
}
