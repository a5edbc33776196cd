import type { Json } from '../../base/json.ts'
import type { AuditedCall } from '../audit-line.ts'

/** One line for the audit log of what was asked of the control plane; holds no secret. [service-wire §14.4] */
export interface AdministrativeLine extends AuditedCall {
  readonly category: 'Administrative'
  readonly operationName: string
  /** The path of the request. */
  readonly resource: string
  readonly callerIpAddress: string
  readonly principal?: string
  readonly change?: { readonly before?: Json | undefined; readonly after?: Json | undefined }
}
