import type { Enrollment, EnrollmentGroup, IndividualEnrollment } from '../model/enrollment.ts'
import { isDeviceId, isRegistrationId, registrationKey, type RegistrationId } from '../model/identifiers.ts'
import type { JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import type { Secret } from '../base/secret.ts'
import { readAttestation } from './read-attestation.ts'
import { readInitialTwin } from './initial-twin.ts'
import { members, type Members } from '../model/members.ts'
import type { Offered } from './enrolling-instance.ts'
import type { EnrollmentRules } from './enrollment-rules.ts'

/** What writing adds to what was asked for. */
type Draft<E extends Enrollment> = Omit<E, 'etag' | 'createdDateTimeUtc' | 'lastUpdatedDateTimeUtc'>

export type EnrollmentDraft = Draft<IndividualEnrollment> | Draft<EnrollmentGroup>

/** What a request for an enrollment is read against. */
export interface ReadingContext<E extends Enrollment> extends Offered {
  /** The record that is being replaced: secrets which the request leaves out are kept from it. */
  readonly stored?: E | undefined
  readonly newKey: () => Secret
  readonly rules: EnrollmentRules
}

/** An individual enrollment as the request asks for it, under this ID; refuses with the offending member's name. */
export function readIndividual(
  json: JsonObject,
  id: string,
  context: ReadingContext<IndividualEnrollment>,
): Draft<IndividualEnrollment> {
  const body = members(json)
  const registrationId = readId(body, 'registrationId', id)
  const deviceId = body.text('deviceId') || undefined
  if (deviceId !== undefined && !isDeviceId(deviceId))
    throw body.refusal('deviceId', 'is not a device ID of an IoT hub')
  return {
    kind: 'individual',
    registrationId: context.stored?.registrationId ?? registrationId,
    deviceId,
    optionalDeviceInformation: body.json('optionalDeviceInformation'),
    ...readShared(body, 'individual', context),
  }
}

/** An enrollment group as the request asks for it, under this ID; refuses with the offending member's name. */
export function readGroup(
  json: JsonObject,
  id: string,
  context: ReadingContext<EnrollmentGroup>,
): Draft<EnrollmentGroup> {
  const body = members(json)
  const enrollmentGroupId = readId(body, 'enrollmentGroupId', id)
  // As strict as the cloud: being lenient would make a green test and a red deployment.
  if (body.list('iotHubs')?.length && !body.has('allocationPolicy')) {
    throw body.refusal('allocationPolicy', 'is required where a group names iotHubs')
  }
  return {
    kind: 'group',
    enrollmentGroupId: context.stored?.enrollmentGroupId ?? enrollmentGroupId,
    ...readShared(body, 'group', context),
  }
}

/** The ID as the record spells it: letter case is not compared, but kept. [service-wire §2.5] */
function readId(body: Members, name: 'registrationId' | 'enrollmentGroupId', id: string): RegistrationId {
  const given = body.text(name)
  if (given === undefined) throw body.refusal(name, 'is required')
  if (registrationKey(given) !== registrationKey(id)) throw body.refusal(name, 'differs from the ID in the path')
  if (isRegistrationId(given)) return given
  const said = `Invalid ${name === 'registrationId' ? 'RegistrationId' : 'EnrollmentGroupId'}`
  throw new Refusal('RegistrationIdInvalid', `${name} does not obey the grammar`, { said, info: { member: name } })
}

/** What individual enrollments and groups have in common. Members that are absent stay absent. */
function readShared(body: Members, kind: Enrollment['kind'], context: ReadingContext<Enrollment>) {
  const { kinds, policies, stored, newKey } = context
  const attestation = readAttestation(body, kinds, { kind, newKey, ...(stored && { stored: stored.attestation }) })
  const allocationPolicy = body.oneOf('allocationPolicy', Object.keys(policies))
  const definitions = readDefinitions(body, context)
  const needed = allocationPolicy === undefined ? undefined : policies[allocationPolicy]?.definition?.member
  if (needed !== undefined && !definitions?.[needed]) {
    throw body.refusal(needed, `is required by allocationPolicy ${allocationPolicy}`)
  }
  return {
    attestation,
    capabilities: readCapabilities(body),
    iotHubHostName: body.text('iotHubHostName') || undefined,
    initialTwin: readInitialTwin(body),
    provisioningStatus: body.oneOf('provisioningStatus', ['enabled', 'disabled']) ?? 'enabled',
    reprovisionPolicy: readReprovisionPolicy(body),
    allocationPolicy,
    iotHubs: readHubs(body),
    definitions,
    credentialPolicyName: body.text('credentialPolicyName'),
  } as const
}

function readCapabilities(body: Members): Enrollment['capabilities'] {
  const capabilities = body.object('capabilities')
  return capabilities && { iotEdge: capabilities.flag('iotEdge') ?? false }
}

function readReprovisionPolicy(body: Members): Enrollment['reprovisionPolicy'] {
  const policy = body.object('reprovisionPolicy')
  return (
    policy && {
      updateHubAssignment: policy.flag('updateHubAssignment') ?? true,
      migrateDeviceData: policy.flag('migrateDeviceData') ?? true,
    }
  )
}

function readHubs(body: Members): readonly string[] | undefined {
  return body.list('iotHubs')?.map((host) => {
    if (typeof host !== 'string' || host === '') throw body.refusal('iotHubs', 'must hold host names')
    return host
  })
}

/** What policies keep in the enrollment, whichever of them it names: clients write back what they read. */
function readDefinitions(
  body: Members,
  { policies, stored, rules }: ReadingContext<Enrollment>,
): Enrollment['definitions'] {
  const read = Object.values(policies).flatMap(({ definition }) => {
    const given = definition && body.object(definition.member)
    if (!given) return []
    const context = { stored: stored?.definitions?.[definition.member], allowHttp: rules.allowHttpWebhooks }
    return [[definition.member, definition.read(given, context)] as const]
  })
  return read.length === 0 ? undefined : Object.fromEntries(read)
}
