import { policyJson } from '../../instances/instance-resource.ts'
import { policyNamed, regenerateKey } from '../../instances/shared-access-policies.ts'
import { members } from '../../model/members.ts'
import type { Store } from '../../store/store.ts'
import { instancePath, objectIn, serviceOf, type ManagementCall, type ManagementRoute } from './route.ts'

/** Shared access policies, with their keys, and new keys for them. [service-wire §8.2] */
export function policyRoutes(store: Store): readonly ManagementRoute[] {
  const keyName = ({ parameters }: ManagementCall) => parameters['key'] ?? ''
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
      run: async (call) => ({ json: policyJson(await policyNamed(keyName(call), serviceOf(call), store)) }),
    },
    {
      method: 'POST',
      path: `${instancePath}/keys/:key/regenerate`,
      operationName: 'RegenerateKey',
      permission: 'keys',
      run: async (call) => {
        const which = members(objectIn(call)).oneOf('keyType', ['primary', 'secondary'])
        if (!which) throw members({}).refusal('keyType', 'must be primary or secondary')
        const renewed = await regenerateKey(keyName(call), which, serviceOf(call), store)
        return { json: policyJson(renewed), change: { after: { keyName: renewed.keyName, regenerated: which } } }
      },
    },
  ]
}
