import { randomBytes } from 'node:crypto'
import { members, type Members } from '../../model/members.ts'
import { isJsonObject, type JsonObject } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import { Secret } from '../../base/secret.ts'
import type { Right, SharedAccessPolicy } from '../../model/service.ts'
import type { Store } from '../../store/store.ts'
import { policyJson } from '../../instances/instance-resource.ts'
import { instancePath, serviceOf, type Call, type Route } from './route.ts'
import { shown } from '../../base/printable.ts'

const allRights = [
  'ServiceConfig',
  'EnrollmentRead',
  'EnrollmentWrite',
  'DeviceConnect',
  'RegistrationStatusRead',
  'RegistrationStatusWrite',
] as const satisfies readonly Right[]

const mostPolicies = 50
/** In bytes. [service-wire §14.1] */
const shortestKey = 16
const longestKey = 64

/** Shared access policies, with their keys, and new keys for them. [service-wire §8.2] */
export function policyRoutes(store: Store): readonly Route[] {
  const policyOf = async (call: Call) => {
    const { idScope } = serviceOf(call)
    const policy = await store.policies.get(idScope, call.parameters['key'] ?? '')
    if (!policy)
      throw new Refusal('ResourceAbsent', `the instance has no policy ${shown(call.parameters['key'] ?? '')}`)
    return { idScope, policy }
  }
  return [
    {
      method: 'POST',
      path: `${instancePath}/listkeys`,
      operationName: 'ListKeys',
      permission: 'keys',
      run: async (call) => ({ json: { value: (await store.policies.all(serviceOf(call).idScope)).map(policyJson) } }),
    },
    {
      method: 'POST',
      path: `${instancePath}/keys/:key/listkeys`,
      operationName: 'ListKeysForKeyName',
      permission: 'keys',
      run: async (call) => ({ json: policyJson((await policyOf(call)).policy) }),
    },
    {
      method: 'POST',
      path: `${instancePath}/keys/:key/regenerate`,
      operationName: 'RegenerateKey',
      permission: 'keys',
      run: async (call) => {
        const { idScope, policy } = await policyOf(call)
        const which = members(isJsonObject(call.body) ? call.body : {}).oneOf('keyType', ['primary', 'secondary'])
        if (!which) throw members({}).refusal('keyType', 'must be primary or secondary')
        const renewed = { ...policy, [`${which}Key`]: newKey() }
        await store.transact((write) => write.policies.put(idScope, renewed))
        return { json: policyJson(renewed), change: { after: { keyName: policy.keyName, regenerated: which } } }
      },
    },
  ]
}

/** The policy that every new instance has. [service-wire §1.4] */
export function ownerPolicy(): SharedAccessPolicy {
  const rights = ['ServiceConfig', 'DeviceConnect', 'EnrollmentWrite'] as const
  return { keyName: 'provisioningserviceowner', primaryKey: newKey(), secondaryKey: newKey(), rights }
}

/**
 * The policies that a body wants instead of the stored ones; undefined if it mentions none, which an empty list does too: that
 * is what a GET shows. [service-wire §8.1]
 */
export function readPolicies(
  properties: Members,
  stored: readonly SharedAccessPolicy[],
): readonly SharedAccessPolicy[] | undefined {
  const given = properties.list('authorizationPolicies')
  if (!given || given.length === 0) return undefined
  if (given.length > mostPolicies) {
    throw properties.refusal('authorizationPolicies', `has more than ${mostPolicies} policies`)
  }
  const policies = given.map((policy, index) => {
    if (!isJsonObject(policy)) throw properties.refusal(`authorizationPolicies.${index}`, 'must be an object')
    const read = members(policy, `properties.authorizationPolicies.${index}`)
    const keyName = read.text('keyName')
    if (!keyName || !/^[\w.-]{1,64}$/.test(keyName)) {
      throw read.refusal('keyName', 'must be 1 to 64 letters, digits, hyphens, dots or underscores')
    }
    const before = stored.find((other) => other.keyName.toLowerCase() === keyName.toLowerCase())
    return {
      keyName,
      primaryKey: policyKey(policy, read, 'primaryKey', before),
      secondaryKey: policyKey(policy, read, 'secondaryKey', before),
      rights: readRights(read),
    }
  })
  if (new Set(policies.map(({ keyName }) => keyName.toLowerCase())).size < policies.length) {
    throw properties.refusal('authorizationPolicies', 'names a policy twice')
  }
  return policies
}

/** Absent: the key stays. Null: a new one, which is how `az iot dps policy update --primary-key ""` renews it. */
function policyKey(
  policy: JsonObject,
  read: Members,
  member: 'primaryKey' | 'secondaryKey',
  before: SharedAccessPolicy | undefined,
): Secret {
  if (policy[member] === null) return newKey()
  return readKey(read, member) ?? before?.[member] ?? newKey()
}

function readKey(read: Members, member: string): Secret | undefined {
  const text = read.text(member)
  if (text === undefined) return undefined
  const key = Secret.fromBase64(text)
  if (!key || key.length < shortestKey || key.length > longestKey) {
    throw read.refusal(member, `must be base64 of ${shortestKey} to ${longestKey} bytes`)
  }
  return key
}

/** Rights are written in one text; Azure's names of them may also be run together, as in its enumeration. */
function readRights(read: Members): readonly Right[] {
  const names = (read.text('rights') ?? '').split(',').map((right) => right.trim().toLowerCase())
  const rights = allRights.filter((right) => names.includes(right.toLowerCase()))
  if (rights.length === 0 || rights.length !== new Set(names).size) {
    throw read.refusal('rights', `must name some of ${allRights.join(', ')}, separated by commas`)
  }
  return rights
}

/** As Azure makes them: 32 random bytes. [service-wire §1.2] */
function newKey(): Secret {
  return new Secret(randomBytes(32))
}
