/**
 * Shared access signatures: `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]`, fields in any order. [device-wire §6.1]
 */
export interface SasToken {
  /** The resource exactly as it stands in the token: the signature is over this text. */
  readonly signedResource: string
  /** The resource, percent-decoded. */
  readonly resource: string
  readonly signature: Buffer
  /** The expiry exactly as it stands in the token. */
  readonly signedExpiry: string
  /** Seconds since 1970. */
  readonly expiry: number
  /** Policy or key name; empty when absent. */
  readonly keyName: string
}

/** Anything that can compute HMAC-SHA256 under a key. */
export interface Signer {
  hmac(message: string): Buffer
}

const prefix = /^SharedAccessSignature /i
/** Characters that are read. */
export const longestToken = 4096
/** The last second of the year 9999, in seconds since 1970: .NET knows no later one, and milliseconds are all beyond. */
export const latestExpiry = 253_402_300_799

/**
 * Read a token, with or without its prefix; undefined if it is not one, and `sasTokenFault` says why. Bounded: longer than 4 KiB
 * is not a token.
 */
export function parseSasToken(text: string): SasToken | undefined {
  if (text.length > longestToken) return undefined
  const fields = tokenFields(text)
  const signedResource = fields.get('sr')
  const signedExpiry = fields.get('se')
  const resource = decode(signedResource)
  const signature = decode(fields.get('sig'))
  const keyName = decode(fields.get('skn') ?? '')
  if (signedResource === undefined || signedExpiry === undefined) return undefined
  if (!resource || !signature || keyName === undefined || !/^\d{1,15}$/.test(signedExpiry)) return undefined
  if (Number(signedExpiry) > latestExpiry) return undefined
  return {
    signedResource,
    resource,
    // Some SDKs leave `+` unencoded; a form decoder on the way turns it into a blank. [device-wire §6.1]
    signature: Buffer.from(signature.replaceAll(' ', '+'), 'base64'),
    signedExpiry,
    expiry: Number(signedExpiry),
    keyName,
  }
}

/** The fields of a token as they stand in it, by their names in lower case. */
export function tokenFields(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const field of text.replace(prefix, '').split('&')) {
    const at = field.indexOf('=')
    if (at > 0) fields.set(field.slice(0, at).toLowerCase(), field.slice(at + 1))
  }
  return fields
}

/** The signature that a holder of `key` makes over this token's resource and expiry. */
export function expectedSignature(token: SasToken, key: Signer): Buffer {
  return key.hmac(`${token.signedResource}\n${token.signedExpiry}`)
}

/** Make a token for a resource, as the Azure service SDKs do; `expiry` in seconds since 1970. */
export function signSasToken(resource: string, key: Signer, expiry: number, keyName?: string): string {
  const sr = encodeURIComponent(resource)
  const sig = encodeURIComponent(key.hmac(`${sr}\n${expiry}`).toString('base64'))
  const skn = keyName === undefined ? '' : `&skn=${encodeURIComponent(keyName)}`
  return `SharedAccessSignature sr=${sr}&sig=${sig}&se=${expiry}${skn}`
}

function decode(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
