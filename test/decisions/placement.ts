import { derivedKey } from '../fixtures/sas.ts'
import { connectionMembers } from '../fixtures/service.ts'
import type { Tenant } from '../management/control-plane.ts'
import { enroll, foreignHub, other, register, withKey, type Case, type World } from './world.ts'

/** Why a device that is who it says it is comes to no hub. */
export const placement: readonly Case[] = [
  {
    reason: 'NoHubLinked',
    when: 'the instance has no hub at all',
    says: /no IoT hub is linked to this provisioning service/,
    attempt: (world, id) => inTenant(world, id, []),
  },
  {
    reason: 'NoHubLinked',
    when: 'the enrollment names a hub that is not linked',
    says: /none of the enrollment's hubs is linked: 127\.90\.1\.3/,
    attempt: (world, id) => {
      const [kept, unlinked] = world.service.hubConnectionStrings.map((connectionString) => ({ connectionString }))
      const left = async ({ name }: Tenant) => {
        const body = { location: 'here', sku: { name: 'S1', capacity: 1 }, properties: { iotHubs: [kept] } }
        await world.plane.call('PUT', world.plane.path(name), { body })
      }
      return inTenant(world, id, [kept!, unlinked!], { iotHubs: ['127.90.1.3'] }, left)
    },
  },
  {
    reason: 'NoHubAvailable',
    says: /every permitted hub is taken out of automatic allocation: 127\.90\./,
    attempt: (world, id) =>
      inTenant(world, id, [{ connectionString: hubString(world), applyAllocationPolicy: false, location: 'here' }]),
  },
  {
    reason: 'StaticHubAmbiguous',
    says: /the enrollment names no hub and 2 are linked/,
    attempt: (world, id) => enrolled(world, id, { allocationPolicy: 'static' }),
  },
  {
    reason: 'CustomAllocationFailed',
    says: /./,
    attempt: (world, id) =>
      enrolled(world, id, {
        allocationPolicy: 'custom',
        customAllocationDefinition: { webhookUrl: 'https://127.90.1.250/allocate', apiVersion: '2021-10-01' },
      }),
  },
  {
    reason: 'QuotaReached',
    says: /the instance has its 1 registrations/,
    attempt: (world, id) =>
      inTenant(world, id, [{ connectionString: hubString(world) }], {}, async ({ name, idScope }) => {
        await limit(world, name, { registrations: 1 })
        await asNeighbour(world, name, idScope)
      }),
  },
  {
    reason: 'Throttled',
    says: /more than 1 registrations per minute, for minutes/,
    attempt: (world, id) =>
      inTenant(world, id, [{ connectionString: hubString(world) }], {}, async ({ name, idScope }) => {
        await limit(world, name, { registrationsPerMinute: 1 })
        for (const neighbour of ['a', 'b']) await asNeighbour(world, `${name}-${neighbour}`, idScope)
      }),
  },
  {
    reason: 'HubUnauthorized',
    says: /answered (?:PUT|GET) \/devices\/\S+ with 401/,
    attempt: (world, id) => {
      const { HostName, SharedAccessKeyName } = connectionMembers(hubString(world))
      const connectionString = `HostName=${HostName};SharedAccessKeyName=${SharedAccessKeyName};SharedAccessKey=${other}`
      return inTenant(world, id, [{ connectionString, location: 'here' }])
    },
  },
  {
    reason: 'HubRefused',
    says: /answered PUT \/devices\/\S+ with 403: .*quota/,
    attempt: async (world, id) => {
      const at = await world.serverAt('127.90.1.9')
      const body = JSON.stringify({ Message: 'ErrorCode:IotHubQuotaExceeded;the device quota is reached' })
      await using _hub = await foreignHub(at, { status: 403, body })
      return await inTenant(world, id, [{ connectionString: foreign('127.90.1.9'), location: 'here' }])
    },
  },
  {
    reason: 'HubUnavailable',
    when: 'nothing listens there',
    says: /no answer from the hub: .*ECONNREFUSED/,
    attempt: (world, id) => inTenant(world, id, [{ connectionString: foreign('127.90.1.8'), location: 'here' }]),
  },
  {
    reason: 'HubUnavailable',
    when: 'it throttles without end',
    says: /127\.90\.1\.10 (?:answered PUT \/devices\/\S+ with 429|is not called: throttled)/,
    attempt: async (world, id) => {
      const at = await world.serverAt('127.90.1.10')
      await using _hub = await foreignHub(at, { status: 429, body: '{}' })
      return await inTenant(world, id, [{ connectionString: foreign('127.90.1.10'), location: 'here' }])
    },
  },
]

async function enrolled(world: World, id: string, entry: object) {
  const key = await enroll(world, id, entry)
  return register(world, id, withKey(world, id, key))
}

/** In an instance of its own, with these hubs. */
async function inTenant(
  world: World,
  id: string,
  iotHubs: readonly object[],
  entry: object = {},
  then: (tenant: Tenant) => Promise<void> = async () => {},
) {
  const tenant = await world.plane.createInstance(`${id}-tenant`, { iotHubs })
  const attestation = { type: 'symmetricKey', symmetricKey: { primaryKey: other, secondaryKey: other } }
  const body = { registrationId: id, attestation, ...entry }
  await world.plane.operate(tenant, 'PUT', `/enrollments/${id}`, { body })
  const group = { enrollmentGroupId: 'neighbours', attestation }
  await world.plane.operate(tenant, 'PUT', '/enrollmentGroups/neighbours', { body: group })
  await then(tenant)
  const resource = `${tenant.idScope}/registrations/${id}`
  return register(world, id, withKey(world, id, other, {}, resource), tenant.idScope)
}

async function limit({ plane }: World, name: string, limits: object): Promise<void> {
  await plane.call('PUT', plane.path(name, '/limits'), { body: limits })
}

/** Another device of the instance registers. */
async function asNeighbour(world: World, id: string, idScope: string): Promise<void> {
  const resource = `${idScope}/registrations/${id}`
  const change = withKey(world, id, derivedKey(other, id), {}, resource)
  const answer = await register(world, id, change, idScope)
  if (answer.status !== 202) throw new Error(answer.text)
}

function hubString({ service }: World): string {
  return service.hubConnectionStrings[0]!
}

function foreign(hostName: string): string {
  return `HostName=${hostName};SharedAccessKeyName=owner;SharedAccessKey=${other}`
}
