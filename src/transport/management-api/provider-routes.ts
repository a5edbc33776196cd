import type { Json } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import { instancePath, type ManagementRoute } from './route.ts'

/** What the resource manager's clients ask of the provider as such, and what Hubward has nothing of. [service-wire §8.2] */
export function providerRoutes(): readonly ManagementRoute[] {
  const absent = async (): Promise<never> => {
    throw new Refusal('ResourceAbsent', 'there are no private endpoints; use IP filters and publicNetworkAccess')
  }
  const answer = (path: string, operationName: string, json: Json): ManagementRoute => {
    return { method: 'GET', path, operationName, permission: 'read', run: async () => ({ json }) }
  }
  const connections = `${instancePath}/privateendpointconnections`
  return [
    answer(`${instancePath}/skus`, 'ListSkus', { value: [{ name: 'S1' }] }),
    answer(connections, 'ListPrivateEndpointConnections', []),
    answer(`${instancePath}/privatelinkresources`, 'ListPrivateLinkResources', { value: [] }),
    {
      method: 'GET',
      path: `${instancePath}/privatelinkresources/:resource`,
      operationName: 'GetPrivateLinkResource',
      permission: 'read',
      run: absent,
    },
    {
      method: 'GET',
      path: `${connections}/:connection`,
      operationName: 'GetPrivateEndpointConnection',
      permission: 'read',
      run: absent,
    },
    {
      method: 'PUT',
      path: `${connections}/:connection`,
      operationName: 'PutPrivateEndpointConnection',
      permission: 'write',
      run: absent,
    },
    {
      method: 'DELETE',
      path: `${connections}/:connection`,
      operationName: 'DeletePrivateEndpointConnection',
      permission: 'write',
      run: absent,
    },
    {
      // Every operation has ended when it is answered, so whatever a client still asks about has succeeded.
      method: 'GET',
      path: `${instancePath}/operationresults/:operation`,
      operationName: 'GetOperationResult',
      permission: 'read',
      run: async () => ({ json: { status: 'Succeeded' } }),
    },
    {
      method: 'GET',
      path: '/providers/microsoft.devices/operations',
      operationName: 'ListOperations',
      permission: 'any',
      run: async () => ({ json: { value: operations } }),
    },
  ]
}

const operations = [
  ['provisioningServices', 'read', 'Get provisioning services'],
  ['provisioningServices', 'write', 'Create or update a provisioning service'],
  ['provisioningServices', 'delete', 'Delete a provisioning service'],
  ['provisioningServices', 'listkeys/action', 'Get the keys of a provisioning service'],
  ['provisioningServices/certificates', 'read', 'Get CA certificates'],
  ['provisioningServices/certificates', 'write', 'Upload a CA certificate'],
  ['provisioningServices/certificates', 'delete', 'Delete a CA certificate'],
  ['provisioningServices/certificates', 'generateVerificationCode/action', 'Generate a verification code'],
  ['provisioningServices/certificates', 'verify/action', 'Verify a CA certificate'],
].map(([resource, action, operation]) => ({
  name: `Microsoft.Devices/${resource}/${action}`,
  display: { provider: 'Hubward', resource, operation },
}))
