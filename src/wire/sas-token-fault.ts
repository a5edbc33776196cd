import { quoted } from '../base/printable.ts'
import { latestExpiry, longestToken, tokenFields } from './sas-token.ts'

/**
 * What keeps a text that `parseSasToken` refused from being a token, to be put behind "the token": which part is wrong, and what
 * of it may be shown. Neither a signature nor a key is ever repeated.
 */
export function sasTokenFault(text: string): string {
  if (text.length > longestToken) return `has ${text.length} characters; at most ${longestToken} are read`
  const instead = mistakenFor(text)
  if (instead !== undefined) return `is ${instead}`
  const fields = tokenFields(text)
  const absent = ['sr', 'sig', 'se'].filter((name) => !fields.get(name))
  if (absent.length === 3) return 'has none of sr, sig and se: it is no shared access signature'
  if (absent.length > 0) return `has no ${absent.join(' and no ')}`
  for (const name of ['sr', 'skn', 'sig']) {
    const value = fields.get(name)
    if (value === undefined || isPercentEncoded(value)) continue
    const shown = name === 'sig' ? '' : ` ${quoted(withoutSecrets(value))}`
    return `has an ${name}${shown} with a % that is not followed by two hex digits of UTF-8`
  }
  const se = fields.get('se') ?? ''
  return `has the se ${quoted(withoutSecrets(se), 40)}${expiryFault(se)}`
}

/** Where fields are not separated as they should be, one holds the others. */
function withoutSecrets(text: string): string {
  return text.replaceAll(/(sig|key)(=|%3d)[^&;,\s]*/gi, '$1=…')
}

/** What people paste where a token belongs. */
function mistakenFor(text: string): string | undefined {
  if (/(?:^|;)\s*SharedAccessKey\s*=/i.test(text)) {
    return 'a whole connection string: make a token with the key in it, or give the string to the SDK'
  }
  if (/^Bearer /i.test(text) || /^eyJ[\w-]*\.[\w-]*\./.test(text))
    return 'a bearer token, not a shared access signature'
  if (/^[A-Za-z0-9+/]{20,}={0,2}\s*$/.test(text)) return 'a single word, such as a key: a token is signed with the key'
  if (/^Basic /i.test(text)) return 'a user name and password (Basic), not a shared access signature'
  return undefined
}

function expiryFault(se: string): string {
  const wanted = 'expected whole seconds since 1970'
  if (/^\d+[.,]\d*$/.test(se)) return `, which has a fraction: ${wanted}`
  if (/^\d{4}-\d\d/.test(decoded(se))) return `, which is a date: ${wanted}`
  if (/^\d+$/.test(se) && Number(se) > latestExpiry) return `, which looks like milliseconds: ${wanted}`
  return `: ${wanted}`
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function decoded(text: string): string {
  return isPercentEncoded(text) ? decodeURIComponent(text) : text
}
