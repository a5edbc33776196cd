import { Refusal } from '../model/refusal.ts'

/** Seconds. */
const retryAfter = 30

/** Where every change must be in the audit log, none is made while it cannot be written. */
export function auditUnavailable(): Refusal {
  return new Refusal('AuditUnavailable', 'the audit log cannot be written, and --audit required asks for it', {
    retryAfter,
  })
}
