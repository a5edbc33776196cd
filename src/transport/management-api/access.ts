import { members, type Members } from '../../model/members.ts'
import { roles, type AccessToken, type RoleAssignment, type TokenIssuer } from '../../model/access.ts'
import { isJsonObject, type JsonObject } from '../../base/json.ts'
import { Refusal } from '../../model/refusal.ts'
import type { Clock } from '../../base/time.ts'
import type { Store } from '../../store/store.ts'
import { newAccessToken } from '../../access/access-token.ts'
import type { Call, Route } from './route.ts'
import { shown } from '../../base/printable.ts'
import { shownUrl } from '../../base/shown-url.ts'

const day = 24 * 60 * 60 * 1000
const most = 100

/** Who may call: tokens that Hubward gives out, and issuers whose tokens it believes. For Owners of the whole deployment. */
export function accessRoutes(store: Store, clock: Clock): readonly Route[] {
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
        const body = bodyOf(call)
        const days = call.body && isJsonObject(call.body) ? call.body['expiresInDays'] : undefined
        if (days !== undefined && !(typeof days === 'number' && days > 0 && days <= 3650)) {
          throw body.refusal('expiresInDays', 'must be a number of days up to 3650')
        }
        const { text, token } = newAccessToken(
          {
            description: (body.text('description') ?? '').slice(0, 200),
            assignments: readList(body, 'assignments', readAssignment),
            ...(typeof days === 'number' && { expires: clock() + days * day }),
          },
          clock(),
        )
        await store.transact((write) => write.accessTokens.put(token))
        return { status: 201, json: { ...tokenJson(token), token: text }, change: { after: tokenJson(token) } }
      },
    },
    {
      method: 'DELETE',
      path: `${tokens}/:token`,
      operationName: 'RevokeToken',
      ...own,
      run: async ({ parameters, principal }) => {
        if (principal?.id === `token:${parameters['token']}`) {
          throw new Refusal('TokenInUse', 'call with the token of another Owner')
        }
        const token = await store.accessTokens.get(parameters['token'] ?? '')
        if (!token) throw new Refusal('ResourceAbsent', `there is no token ${shown(parameters['token'] ?? '')}`)
        await store.transact((write) => write.accessTokens.delete(token.id))
        return { change: { before: tokenJson(token) } }
      },
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
        const issuer = readIssuer(call.parameters['issuer'] ?? '', bodyOf(call))
        const others = (await store.tokenIssuers.all()).filter(
          ({ name }) => name.toLowerCase() !== issuer.name.toLowerCase(),
        )
        if (others.some((other) => other.issuer === issuer.issuer)) {
          throw new Refusal('ResourceChanged', `${issuer.issuer} is trusted already under another name`)
        }
        if (others.length >= most) throw new Refusal('QuotaReached', `${most} issuers are trusted already`)
        await store.transact((write) => write.tokenIssuers.put(issuer))
        return { json: issuerJson(issuer), change: { after: withoutSecrets(issuer) } }
      },
    },
    {
      method: 'DELETE',
      path: `${issuers}/:issuer`,
      operationName: 'DeleteIssuer',
      ...own,
      run: async ({ parameters }) => {
        const name = parameters['issuer'] ?? ''
        const issuer = (await store.tokenIssuers.all()).find((known) => known.name.toLowerCase() === name.toLowerCase())
        if (!issuer) throw new Refusal('ResourceAbsent', `there is no issuer ${shown(name)}`)
        await store.transact((write) => write.tokenIssuers.delete(issuer.name))
        return { change: { before: withoutSecrets(issuer) } }
      },
    },
  ]
}

function bodyOf({ body }: Call): Members {
  if (isJsonObject(body)) return members(body)
  throw members({}).refusal('', 'must be a JSON object')
}

function readIssuer(name: string, body: Members): TokenIssuer {
  if (!/^[\w.-]{1,64}$/.test(name)) throw body.refusal('name', 'must be 1 to 64 letters, digits, dots and hyphens')
  const text = (member: string) => {
    const value = body.text(member)
    if (!value || value.length > 2048) throw body.refusal(member, 'is required')
    return value
  }
  const jwksUrl = text('jwksUrl')
  if (!isFetchable(jwksUrl)) {
    throw body.refusal('jwksUrl', 'must be an https URL, or http on this machine, without a user name or password')
  }
  return {
    name,
    issuer: text('issuer'),
    jwksUrl,
    audiences: readAudiences(body),
    rules: readList(body, 'rules', (rule) => {
      const claim = rule.text('claim')
      const value = rule.text('value')
      if (!claim || !value) throw rule.refusal('claim', 'and value are required')
      return { claim, value, ...readAssignment(rule) }
    }),
  }
}

function isFetchable(text: string): boolean {
  const url = URL.parse(text)
  if (!url || url.username !== '' || url.password !== '') return false
  return (
    url.protocol === 'https:' || (url.protocol === 'http:' && /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname))
  )
}

/** The audience that Azure's SDKs ask tokens for, unless others are named. [service-wire §1.5] */
function readAudiences(body: Members): readonly string[] {
  const given = body.list('audiences')
  if (!given || given.length === 0) return ['https://azure-devices-provisioning.net']
  return given.map((audience) => {
    if (typeof audience === 'string' && audience !== '') return audience
    throw body.refusal('audiences', 'must hold texts')
  })
}

function readList<T>(body: Members, member: string, read: (item: Members) => T): readonly T[] {
  const given = body.list(member)
  if (!given || given.length === 0 || given.length > most) throw body.refusal(member, `must hold 1 to ${most} objects`)
  return given.map((item, index) => {
    if (!isJsonObject(item)) throw body.refusal(`${member}.${index}`, 'must be an object')
    return read(members(item, `${member}.${index}`))
  })
}

function readAssignment(read: Members): RoleAssignment {
  const role = read.oneOf('role', roles)
  const scope = read.text('scope') ?? '*'
  if (!role) throw read.refusal('role', `must be one of ${roles.join(', ')}`)
  if (!/^(?:\*|[A-Za-z0-9-]{3,50})$/.test(scope)) throw read.refusal('scope', 'must be * or the name of an instance')
  return { role, scope }
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
