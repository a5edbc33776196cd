import type { Secret } from '../base/secret.ts'

/** How a device is to authenticate at its hub. [service-wire §12.1] */
export type HubCredential =
  | { readonly type: 'sas'; readonly primaryKey: Secret; readonly secondaryKey: Secret }
  /** SHA-256, upper-case hex. */
  | { readonly type: 'selfSigned'; readonly primaryThumbprint: string }
  /** The key that the hub identity has, or a new one if it has none. */
  | { readonly type: 'hubKey' }
