import { randomBytes } from 'node:crypto'
import { isJsonObject, type JsonObject } from '../base/json.ts'
import { shown } from '../base/printable.ts'
import { Secret } from '../base/secret.ts'
import type { IdScope } from '../model/identifiers.ts'
import { members, type Members } from '../model/members.ts'
import { Refusal } from '../model/refusal.ts'
import type { ProvisioningService, SharedAccessRight, SharedAccessPolicy } from '../model/service.ts'
import type { Reader, Store, Writer } from '../store/store.ts'
import { inTurnOfInstance } from './in-turn.ts'

const allRights = [
  'ServiceConfig',
  'EnrollmentRead',
  'EnrollmentWrite',
  'DeviceConnect',
  'RegistrationStatusRead',
  'RegistrationStatusWrite',
] as const satisfies readonly SharedAccessRight[]

const mostPolicies = 50
/** In bytes. [service-wire §14.1] */
const shortestKey = 16
const longestKey = 64

/** The name of the policy that every new instance has. [service-wire §1.4] */
export const ownerPolicyName = 'provisioningserviceowner'

/** The policy that a new instance begins with, with keys of its own. [service-wire §1.4] */
export function ownerPolicy(): SharedAccessPolicy {
  const rights = ['ServiceConfig', 'DeviceConnect', 'EnrollmentWrite'] as const
  return { keyName: ownerPolicyName, primaryKey: newKey(), secondaryKey: newKey(), rights }
}

/** The instance's policy of this name, in any letter case; refuses if there is none. */
export async function policyNamed(
  keyName: string,
  { idScope }: ProvisioningService,
  store: Reader,
): Promise<SharedAccessPolicy> {
  const policy = await store.policies.get(idScope, keyName)
  if (!policy) throw new Refusal('ResourceAbsent', `the instance has no policy ${shown(keyName)}`)
  return policy
}

/** Give the policy another primary or secondary key: what was signed with that one before is refused from now on. */
export async function regenerateKey(
  keyName: string,
  which: 'primary' | 'secondary',
  service: ProvisioningService,
  store: Store,
): Promise<SharedAccessPolicy> {
  return inTurnOfInstance(store, service.name, async () => {
    const renewed = { ...(await policyNamed(keyName, service, store)), [`${which}Key`]: newKey() }
    await store.transact((write) => write.policies.put(service.idScope, renewed))
    return renewed
  })
}

/** Make the instance's policies these. */
export function replacePolicies(
  write: Writer,
  idScope: IdScope,
  before: readonly SharedAccessPolicy[],
  policies: readonly SharedAccessPolicy[],
): void {
  const kept = new Set(policies.map(({ keyName }) => keyName.toLowerCase()))
  for (const { keyName } of before) if (!kept.has(keyName.toLowerCase())) write.policies.delete(idScope, keyName)
  for (const policy of policies) write.policies.put(idScope, policy)
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
function readRights(read: Members): readonly SharedAccessRight[] {
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
