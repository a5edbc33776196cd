import type { Json } from '../../base/json.ts'
import type { Timestamp } from '../../base/time.ts'

/** One line for the audit log of what was asked of the control plane; holds no secret. [service-wire §14.4] */
export interface AdministrativeLine {
  readonly time: Timestamp
  readonly category: 'Administrative'
  readonly operationName: string
  /** The path of the request. */
  readonly resource: string
  /** `Begun`: how it ends is said by a later line with the same correlation id. */
  readonly resultType: 'Begun' | 'Success' | 'ClientError' | 'Failure'
  /** The error code; the HTTP status on success; empty while it is not known. */
  readonly resultSignature: string
  readonly resultDescription: string
  readonly durationMs: number
  /** The tracking id that the client was told. */
  readonly correlationId: string
  readonly callerIpAddress: string
  readonly principal?: string
  readonly change?: { readonly before?: Json | undefined; readonly after?: Json | undefined }
}
