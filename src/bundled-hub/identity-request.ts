import { HubRefusal } from './hub-refusal.ts'
import type { Authentication, Status } from './identity.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { Key } from './key.ts'

/** What a PUT or a bulk item asks an identity to be; absent members keep what is there, or get their default. */
export interface IdentityRequest {
  readonly status?: Status | undefined
  readonly statusReason?: string | null | undefined
  readonly edge?: boolean | undefined
  readonly scope?: string | undefined
  readonly parentScopes?: readonly string[] | undefined
  readonly managedBy?: string | undefined
  readonly authentication?: AuthenticationRequest | undefined
}

export type AuthenticationRequest =
  | { readonly type: 'sas'; readonly primary?: Key | undefined; readonly secondary?: Key | undefined }
  | { readonly type: 'selfSigned'; readonly primary?: string | undefined; readonly secondary?: string | undefined }
  | { readonly type: 'certificateAuthority' }
  | { readonly type: 'none' }

const identifier = /^[A-Za-z0-9\-:.+%_#*?!(),=@;$']{1,128}$/
const separators = /[\s:-]/g
const thumbprint = /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/

/** The text if it can name a device, module or job; refuses with ArgumentInvalid. [service-wire §2.5] */
export function identityName(text: unknown, what: 'deviceId' | 'moduleId' | 'jobId'): string {
  if (typeof text === 'string' && identifier.test(text)) return text
  throw new HubRefusal('ArgumentInvalid', `${what} is not 1 to 128 of the characters that IoT Hub allows`)
}

/** Read the members of an identity; refuses with ArgumentInvalid. */
export function identityRequest(body: JsonObject): IdentityRequest {
  return {
    status: status(body['status']),
    statusReason: body['statusReason'] === null ? null : optionalText(body['statusReason'], 'statusReason'),
    edge: edge(body['capabilities']),
    scope: optionalText(body['deviceScope'], 'deviceScope'),
    parentScopes: parentScopes(body['parentScopes']),
    managedBy: optionalText(body['managedBy'], 'managedBy'),
    authentication: authentication(body['authentication']),
  }
}

/** The credentials an identity ends up with: keys that nobody gave are kept from before, or made. */
export function settle(request: AuthenticationRequest | undefined, before: Authentication | undefined): Authentication {
  const wanted = request ?? before ?? { type: 'sas' }
  if (wanted.type === 'none' || wanted.type === 'certificateAuthority') return { type: wanted.type }
  if (wanted.type === 'selfSigned') {
    return { type: 'selfSigned', primary: wanted.primary, secondary: wanted.secondary }
  }
  const kept = before?.type === 'sas' ? before : undefined
  return {
    type: 'sas',
    primary: wanted.primary ?? kept?.primary ?? Key.generate(),
    secondary: wanted.secondary ?? kept?.secondary ?? Key.generate(),
  }
}

function authentication(value: Json | undefined): AuthenticationRequest | undefined {
  if (value === undefined || value === null) return undefined
  if (!isJsonObject(value)) throw new HubRefusal('ArgumentInvalid', 'authentication is not an object')
  const keys = isJsonObject(value['symmetricKey']) ? value['symmetricKey'] : {}
  const thumbprints = isJsonObject(value['x509Thumbprint']) ? value['x509Thumbprint'] : {}
  const type =
    optionalText(value['type'], 'authentication type') ?? (thumbprints['primaryThumbprint'] ? 'selfSigned' : 'sas')
  switch (type.toLowerCase()) {
    case 'sas':
      return { type: 'sas', primary: key(keys['primaryKey']), secondary: key(keys['secondaryKey']) }
    case 'selfsigned': {
      const primary = print(thumbprints['primaryThumbprint'])
      const secondary = print(thumbprints['secondaryThumbprint'])
      if (primary || secondary) return { type: 'selfSigned', primary, secondary }
      throw new HubRefusal('ArgumentInvalid', 'selfSigned authentication needs a thumbprint')
    }
    case 'certificateauthority':
      return { type: 'certificateAuthority' }
    case 'none':
      return { type: 'none' }
    default:
      throw new HubRefusal(
        'ArgumentInvalid',
        `authentication type ${type} is none of sas, selfSigned, certificateAuthority, none`,
      )
  }
}

function key(value: Json | undefined): Key | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const read = typeof value === 'string' ? Key.fromBase64(value) : undefined
  if (!read) throw new HubRefusal('ArgumentInvalid', 'a symmetric key is not base64 of 16 to 64 bytes')
  return read
}

function print(value: Json | undefined): string | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const normal = typeof value === 'string' ? value.replace(separators, '').toUpperCase() : ''
  if (!thumbprint.test(normal)) {
    throw new HubRefusal('ArgumentInvalid', 'a thumbprint is not 40 (SHA-1) or 64 (SHA-256) hex digits')
  }
  return normal
}

function status(value: Json | undefined): Status | undefined {
  if (value === undefined || value === null) return undefined
  const text = optionalText(value, 'status')?.toLowerCase()
  if (text === 'enabled' || text === 'disabled') return text
  throw new HubRefusal('ArgumentInvalid', 'status is neither enabled nor disabled')
}

function edge(capabilities: Json | undefined): boolean | undefined {
  const value = isJsonObject(capabilities) ? capabilities['iotEdge'] : undefined
  if (value === undefined || value === null) return undefined
  if (typeof value === 'boolean') return value
  throw new HubRefusal('ArgumentInvalid', 'capabilities.iotEdge is neither true nor false')
}

function parentScopes(value: Json | undefined): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value) && value.every((scope): scope is string => typeof scope === 'string')) return value
  throw new HubRefusal('ArgumentInvalid', 'parentScopes is not a list of texts')
}

function optionalText(value: Json | undefined, member: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string' && value.length <= 1024) return value
  throw new HubRefusal('ArgumentInvalid', `${member} is not a text of at most 1024 characters`)
}
