import { issueToken, revokeToken } from '../../access/access-tokens.ts'
import { deleteIssuer, putIssuer } from '../../access/token-issuers.ts'
import type { JsonObject } from '../../base/json.ts'
import { shownUrl } from '../../base/shown-url.ts'
import type { Clock } from '../../base/time.ts'
import type { AccessToken, TokenIssuer } from '../../model/access.ts'
import type { Store } from '../../store/store.ts'
import { demandObject, type ManagementRoute } from './route.ts'

/** Who may call: tokens that Hubward gives out, and issuers whose tokens it believes. For Owners of the whole deployment. */
export function accessRoutes(store: Store, clock: Clock): readonly ManagementRoute[] {
  const tokens = '/admin/v1/tokens'
  const issuers = '/admin/v1/issuers'
  const own = { permission: 'own' } as const
  return [
    {
      method: 'GET',
      path: '/admin/v1/whoami',
      operationName: 'WhoAmI',
      permission: 'any',
      run: async ({ principal }) => ({
        json: { id: principal?.id, assignments: (principal?.assignments ?? []).map((assigned) => ({ ...assigned })) },
      }),
    },
    {
      method: 'GET',
      path: tokens,
      operationName: 'ListTokens',
      ...own,
      run: async () => ({ json: { value: (await store.accessTokens.all()).map(tokenJson) } }),
    },
    {
      method: 'POST',
      path: tokens,
      operationName: 'CreateToken',
      ...own,
      run: async (call) => {
        const { text, token } = await issueToken(demandObject(call), store, clock)
        return { status: 201, json: { ...tokenJson(token), token: text }, change: { after: tokenJson(token) } }
      },
    },
    {
      method: 'DELETE',
      path: `${tokens}/:token`,
      operationName: 'RevokeToken',
      ...own,
      run: async ({ parameters, principal }) => ({
        change: { before: tokenJson(await revokeToken(parameters['token'] ?? '', principal, store)) },
      }),
    },
    {
      method: 'GET',
      path: issuers,
      operationName: 'ListIssuers',
      ...own,
      run: async () => ({ json: { value: (await store.tokenIssuers.all()).map(issuerJson) } }),
    },
    {
      method: 'PUT',
      path: `${issuers}/:issuer`,
      operationName: 'PutIssuer',
      ...own,
      run: async (call) => {
        const issuer = await putIssuer(call.parameters['issuer'] ?? '', demandObject(call), store)
        return { json: issuerJson(issuer), change: { after: withoutSecrets(issuer) } }
      },
    },
    {
      method: 'DELETE',
      path: `${issuers}/:issuer`,
      operationName: 'DeleteIssuer',
      ...own,
      run: async ({ parameters }) => ({
        change: { before: withoutSecrets(await deleteIssuer(parameters['issuer'] ?? '', store)) },
      }),
    },
  ]
}

function tokenJson(token: AccessToken): JsonObject {
  const { digest: _, assignments, ...shown } = token
  return { ...shown, assignments: assignments.map((assigned) => ({ ...assigned })) }
}

function issuerJson({ rules, audiences, ...issuer }: TokenIssuer): JsonObject {
  return { ...issuer, audiences: [...audiences], rules: rules.map((rule) => ({ ...rule })) }
}

function withoutSecrets(issuer: TokenIssuer): JsonObject {
  return { ...issuerJson(issuer), jwksUrl: shownUrl(issuer.jwksUrl) }
}
