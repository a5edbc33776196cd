import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { command, flag, group, type Run } from './command.ts'
import { CommandFailure } from './failure.ts'
import { readText } from './common-options.ts'
import { print, tell, type Columns } from './print.ts'
import { objectOf, type JsonRecord } from './api-session.ts'

/** The options of `az iot dps enrollment` and `enrollment-group`. */
interface Wanted {
  readonly enrollmentId: string
  readonly attestationType?: string
  readonly primaryKey?: string
  readonly secondaryKey?: string
  readonly certificatePath?: string
  readonly secondaryCertificatePath?: string
  readonly caName?: string
  readonly secondaryCaName?: string
  readonly endorsementKey?: string
  readonly deviceId?: string
  readonly iotHubs?: readonly string[]
  readonly allocationPolicy?: string
  readonly provisioningStatus?: string
  readonly reprovisionPolicy?: string
  readonly initialTwinTags?: string
  readonly initialTwinProperties?: string
  readonly edgeEnabled?: boolean
  readonly webhookUrl?: string
  readonly apiVersion?: string
  readonly showKeys?: boolean
  readonly etag?: string
}

/** What tells individual enrollments and groups apart here. */
interface Kind {
  readonly name: 'enrollment' | 'enrollment-group'
  readonly path: 'enrollments' | 'enrollmentGroups'
  readonly idMember: 'registrationId' | 'enrollmentGroupId'
  readonly certificates: 'clientCertificates' | 'signingCertificates'
}

const individual: Kind = {
  name: 'enrollment',
  path: 'enrollments',
  idMember: 'registrationId',
  certificates: 'clientCertificates',
}

const groups: Kind = {
  name: 'enrollment-group',
  path: 'enrollmentGroups',
  idMember: 'enrollmentGroupId',
  certificates: 'signingCertificates',
}

/** `hubward enrollment …`: what permits one device, after `az iot dps enrollment`. */
export function enrollmentCommands(): Command {
  return commandsOf(individual, group('enrollment', 'Individual enrollments: each permits one device'))
}

/** `hubward enrollment-group …`: what permits every device that a credential vouches for, after `az iot dps enrollment-group`. */
export function enrollmentGroupCommands(): Command {
  return commandsOf(groups, group('enrollment-group', 'Enrollment groups: each permits the devices it vouches for'))
}

function commandsOf(kind: Kind, parent: Command): Command {
  const columns: Columns = {
    ID: kind.idMember,
    Attestation: 'attestation.type',
    Status: 'provisioningStatus',
    Allocation: 'allocationPolicy',
    ...(kind === individual && { Registered: 'registrationState.status', Hub: 'registrationState.assignedHub' }),
  }
  const id = [
    '--eid, --enrollment-id <id>',
    kind === individual ? 'its registration ID' : 'its enrollment group ID',
  ] as const
  const pathOf = ({ options }: Run<Wanted>) => `/${kind.path}/${encodeURIComponent(options.enrollmentId)}`
  const withKeys = async (run: Run<Wanted>, enrollment: JsonRecord): Promise<JsonRecord> => {
    if (!run.options.showKeys) return enrollment
    return {
      ...enrollment,
      attestation: objectOf(await run.session.service('POST', `${pathOf(run)}/attestationmechanism`)),
    }
  }

  settings(
    kind,
    command<Wanted>(parent, 'create', `Create an ${kind.name}`, async (run) => {
      const { options, session } = run
      const body = {
        [kind.idMember]: options.enrollmentId,
        ...membersOf(kind, options, {}),
        attestation: attestationOf(kind, options),
      }
      print(objectOf(await session.service('PUT', pathOf(run), { body })), columns, options)
    }).requiredOption(...id),
  )
  command(parent, 'list', `List the ${kind.name}s`, async ({ options, session }) => {
    const found: JsonRecord[] = []
    for (let continuation = ''; ;) {
      const response = await session.service('POST', `/${kind.path}/query`, {
        body: { query: `SELECT * FROM ${kind.path}` },
        headers: { 'x-ms-max-item-count': '500', ...(continuation !== '' && { 'x-ms-continuation': continuation }) },
      })
      found.push(...(JSON.parse(response.text) as JsonRecord[]))
      continuation = String(response.headers['x-ms-continuation'] ?? '')
      if (continuation === '') break
    }
    print(found, columns, options)
  })
  command<Wanted>(parent, 'show', `Show an ${kind.name}`, async (run) => {
    print(await withKeys(run, objectOf(await run.session.service('GET', pathOf(run)))), columns, run.options)
  })
    .requiredOption(...id)
    .option('--keys, --show-keys', 'with its keys')
  settings(
    kind,
    command<Wanted>(parent, 'update', `Change an ${kind.name}; what is not named stays`, async (run) => {
      const { options, session } = run
      const stored = objectOf(await session.service('GET', pathOf(run)))
      const attestation = isAttested(options) ? attestationOf(kind, options) : stored['attestation']
      const body = { ...stored, ...membersOf(kind, options, stored), attestation }
      const ifMatch = options.etag ?? String(stored['etag'])
      print(objectOf(await session.service('PUT', pathOf(run), { body, ifMatch })), columns, options)
    }).requiredOption(...id),
  ).option('-e, --etag <text>', 'only if it has this etag')
  command<Wanted>(
    parent,
    'delete',
    `Delete an ${kind.name}; devices that are provisioned stay at their hubs`,
    async (run) => {
      await run.session.service('DELETE', pathOf(run), { ifMatch: run.options.etag })
      tell(`${run.options.enrollmentId} is deleted.`)
    },
  )
    .requiredOption(...id)
    .option('-e, --etag <text>', 'only if it has this etag')
  return parent
}

function settings(kind: Kind, of: Command): Command {
  of.option(
    '--at, --attestation-type <type>',
    kind === individual ? 'symmetricKey, x509 or tpm' : 'symmetricKey or x509',
  )
    .option('--pk, --primary-key <base64>', 'made if not given')
    .option('--sk, --secondary-key <base64>', 'made if not given')
    .option('--cp, --certificate-path <file>', 'its X.509 certificate, PEM or DER')
    .option('--scp, --secondary-certificate-path <file>', 'another, for rolling over')
    .option('--ih, --iot-hubs <host...>', 'the linked hubs to choose from')
    .option('--ap, --allocation-policy <name>', 'hashed, geoLatency, static or custom')
    .option('--ps, --provisioning-status <text>', 'enabled or disabled')
    .option('--rp, --reprovision-policy <text>', 'reprovisionandmigratedata, reprovisionandresetdata or never')
    .option('--tags, --initial-twin-tags <json>', 'the tags a device begins with')
    .option('--props, --initial-twin-properties <json>', 'the desired properties a device begins with')
    .option('--ee, --edge-enabled <true|false>', 'IoT Edge devices', flag)
    .option('--wh, --webhook-url <url>', 'for allocation policy custom')
    .option('--av, --api-version <version>', 'of the webhook', '2021-10-01')
  if (kind === individual) {
    return of
      .option('--ek, --endorsement-key <base64>', "the TPM's")
      .option('-d, --device-id <id>', 'its name at the hub, if that is not the registration ID')
  }
  return of
    .option('--cn, --ca-name <name>', 'a verified CA certificate of the instance')
    .option('--scn, --secondary-ca-name <name>', 'another, for rolling over')
}

function isAttested(wanted: Wanted): boolean {
  const { primaryKey, secondaryKey, certificatePath, secondaryCertificatePath, caName, secondaryCaName } = wanted
  return [
    primaryKey,
    secondaryKey,
    certificatePath,
    secondaryCertificatePath,
    caName,
    secondaryCaName,
    wanted.endorsementKey,
  ].some(Boolean)
}

function attestationOf(kind: Kind, wanted: Wanted): JsonRecord {
  const { certificatePath, secondaryCertificatePath, caName, secondaryCaName, endorsementKey } = wanted
  const type = wanted.attestationType?.toLowerCase() ?? typeFrom(wanted)
  switch (type) {
    case 'symmetrickey': {
      const { primaryKey = null, secondaryKey = null } = wanted
      return { type: 'symmetricKey', symmetricKey: { primaryKey, secondaryKey } }
    }
    case 'tpm':
      if (endorsementKey === undefined) throw new CommandFailure('TPM attestation needs --endorsement-key.')
      return { type: 'tpm', tpm: { endorsementKey } }
    case 'x509':
      if (caName !== undefined) {
        return { type: 'x509', x509: { caReferences: { primary: caName, secondary: secondaryCaName } } }
      }
      if (certificatePath === undefined)
        throw new CommandFailure('X.509 attestation needs --certificate-path or --ca-name.')
      return {
        type: 'x509',
        x509: {
          [kind.certificates]: {
            primary: certificateAt(certificatePath),
            ...(secondaryCertificatePath !== undefined && { secondary: certificateAt(secondaryCertificatePath) }),
          },
        },
      }
    default:
      throw new CommandFailure(`There is no attestation type ${type}.`, 'Choose symmetricKey, x509 or tpm.')
  }
}

function typeFrom({ certificatePath, caName, endorsementKey }: Wanted): string {
  if (certificatePath !== undefined || caName !== undefined) return 'x509'
  return endorsementKey === undefined ? 'symmetrickey' : 'tpm'
}

function membersOf(kind: Kind, wanted: Wanted, stored: JsonRecord): JsonRecord {
  const { initialTwinTags, initialTwinProperties, reprovisionPolicy, edgeEnabled, webhookUrl, apiVersion } = wanted
  const twin = stored['initialTwin'] as JsonRecord | undefined
  const given = {
    deviceId: kind === individual ? wanted.deviceId : undefined,
    iotHubs: wanted.iotHubs,
    allocationPolicy: wanted.allocationPolicy ?? (webhookUrl === undefined ? undefined : 'custom'),
    provisioningStatus: wanted.provisioningStatus,
    reprovisionPolicy: reprovisionPolicy === undefined ? undefined : reprovisioning(reprovisionPolicy),
    capabilities: edgeEnabled === undefined ? undefined : { iotEdge: edgeEnabled },
    customAllocationDefinition: webhookUrl === undefined ? undefined : { webhookUrl, apiVersion },
    initialTwin:
      initialTwinTags === undefined && initialTwinProperties === undefined
        ? undefined
        : {
            ...twin,
            ...(initialTwinTags !== undefined && { tags: jsonOf(initialTwinTags, '--initial-twin-tags') }),
            ...(initialTwinProperties !== undefined && {
              properties: { desired: jsonOf(initialTwinProperties, '--initial-twin-properties') },
            }),
          },
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

function reprovisioning(name: string): JsonRecord {
  switch (name.toLowerCase()) {
    case 'reprovisionandmigratedata':
      return { updateHubAssignment: true, migrateDeviceData: true }
    case 'reprovisionandresetdata':
      return { updateHubAssignment: true, migrateDeviceData: false }
    case 'never':
      return { updateHubAssignment: false, migrateDeviceData: false }
    default:
      throw new CommandFailure(
        `There is no reprovision policy ${name}.`,
        'Choose reprovisionandmigratedata, reprovisionandresetdata or never.',
      )
  }
}

/** JSON, or `@file` with JSON in it. */
function jsonOf(text: string, option: string): unknown {
  const json = text.startsWith('@') ? readText(text.slice(1), option) : text
  try {
    return JSON.parse(json)
  } catch {
    throw new CommandFailure(`${option} is not JSON.`, `Such as: ${option} '{"line": 7}', or ${option} @file.json`)
  }
}

function certificateAt(path: string): JsonRecord {
  const text = readText(path, '--certificate-path')
  const certificate = text.includes('-----BEGIN') ? text : readFileSync(path).toString('base64')
  return { certificate }
}
