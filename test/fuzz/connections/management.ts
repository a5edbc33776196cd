import { json } from '../engine/json.ts'
import type { Converse } from './conversation.ts'

const instance =
  '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/hubward/providers/Microsoft.Devices/provisioningServices'
const places = [
  '',
  '/fuzz',
  '/fuzz/certificates/a',
  '/fuzz/certificates/a/verify',
  '/fuzz/keys/p/listkeys',
  '/fuzz/revocations',
  '/fuzz/revocationLists/a',
  '/fuzz/decisions',
  '/fuzz/limits',
  '/fuzz/whatIf',
  '/__proto__',
  '/checkProvisioningServiceNameAvailability',
]
const members = [
  'location',
  'sku',
  'tags',
  'properties',
  'iotHubs',
  'hostNames',
  'ipFilterRules',
  'authorizationPolicies',
  'certificate',
  'registrationId',
  'assignments',
  'role',
  'name',
  'issuer',
  'limits',
]

/** Calls of the control plane by strangers, and by an administrator whose bodies are whatever they are. */
export function managementConversations(token: string): Converse {
  return (random) => {
    const call = () => {
      const body = random.once(6) ? random.bytes(random.size(500)) : Buffer.from(json(random, members))
      const bearer = random.pick([
        token,
        token,
        token,
        'x',
        `${token}x`,
        random.text(40).replaceAll(/[^\x21-\x7e]/g, '_'),
      ])
      const place = random.once(4)
        ? random.pick([
            '/admin/v1/tokens',
            '/admin/v1/issuers',
            '/admin/v1/limits',
            '/metrics',
            '/ready',
            '/admin/v1/__proto__',
          ])
        : instance + random.pick(places)
      const query = random.pick(['?api-version=2022-12-12', '?api-version=2026-08-31', '?api-version=__proto__', ''])
      // Nothing that is made here is unmade, so that its number stays small: one name, and no DELETE of what the honest need.
      const head = `${random.pick(['GET', 'PUT', 'POST', 'PATCH'])} ${place}${query} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${bearer}\r\n`
      return Buffer.concat([
        Buffer.from(
          `${head}If-Match: ${random.pick(['*', '"a"', 'x'])}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
        ),
        body,
      ])
    }
    return {
      to: 'management',
      tls: true,
      steps: [call(), ...random.many(3, call)].map((bytes) => ({ bytes, times: 1 })),
      broken: false,
    }
  }
}
