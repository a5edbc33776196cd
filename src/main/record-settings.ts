import { choice, number } from './setting.ts'

/** What is written down of what was done and refused, and for how long it is kept. */
export const recordSettings = {
  audit: choice(
    'audit',
    'HUBWARD_AUDIT',
    ['continue', 'required'],
    'Whether operators may go on with changes while the audit log cannot be written: its lines are kept in memory meanwhile, and the log says so; or changes are refused with 503.',
  ),
  auditMegabytes: number(
    'audit-megabytes',
    'HUBWARD_AUDIT_MEGABYTES',
    16,
    1,
    1024,
    'Megabytes after which `audit.log` in the data folder is put by and a new one begun.',
  ),
  auditFiles: number('audit-files', 'HUBWARD_AUDIT_FILES', 20, 0, 1000, 'How many older audit logs are kept.'),
  auditDays: number('audit-days', 'HUBWARD_AUDIT_DAYS', 365, 1, 36_500, 'Days that an older audit log is kept.'),
  decisionDays: number(
    'decision-days',
    'HUBWARD_DECISION_DAYS',
    30,
    1,
    3650,
    'Days that decision records are kept: why each attempt to register went as it did.',
  ),
  decisionsKept: number(
    'decisions-kept',
    'HUBWARD_DECISIONS_KEPT',
    50_000,
    100,
    10_000_000,
    'Decision records that each instance keeps at most, of about 1 KiB each; the newest stay.',
  ),
  refusalsTold: number(
    'refusals-told',
    'HUBWARD_REFUSALS_TOLD',
    100,
    1,
    1_000_000,
    'Refusals of one reason from one address that are logged and recorded singly in a minute, and of strangers ten times as many at one instance; the rest is counted and told together. Of a known device, its refusals; accepted devices are always told.',
  ),
} as const
