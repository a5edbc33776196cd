import { shown } from '../base/printable.ts'
import type { TokenIssuer } from '../model/access.ts'
import type { Members } from '../model/members.ts'
import { Refusal } from '../model/refusal.ts'
import type { Store } from '../store/store.ts'
import { mostListed, readAssignment, readObjects } from './assignments.ts'

/**
 * Believe the tokens of this issuer, as its rules say, in place of what was believed under the name before. Refuses one that is
 * trusted under another name. [service-wire §1.5]
 */
export async function putIssuer(name: string, body: Members, store: Store): Promise<TokenIssuer> {
  const issuer = readIssuer(name, body)
  const others = (await store.tokenIssuers.all()).filter((other) => !isNamed(other, issuer.name))
  if (others.some((other) => other.issuer === issuer.issuer)) {
    throw new Refusal('ResourceChanged', `${issuer.issuer} is trusted already under another name`)
  }
  if (others.length >= mostListed) throw new Refusal('QuotaReached', `${mostListed} issuers are trusted already`)
  await store.transact((write) => write.tokenIssuers.put(issuer))
  return issuer
}

/** Believe this issuer's tokens no more; gives what is forgotten. */
export async function deleteIssuer(name: string, store: Store): Promise<TokenIssuer> {
  const issuer = (await store.tokenIssuers.all()).find((known) => isNamed(known, name))
  if (!issuer) throw new Refusal('ResourceAbsent', `there is no issuer ${shown(name)}`)
  await store.transact((write) => write.tokenIssuers.delete(issuer.name))
  return issuer
}

function isNamed(issuer: TokenIssuer, name: string): boolean {
  return issuer.name.toLowerCase() === name.toLowerCase()
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
    rules: readObjects(body, 'rules', (rule) => {
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
