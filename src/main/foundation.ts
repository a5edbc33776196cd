import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { MemoryBudget } from '../base/memory.ts'
import type { Clocks } from '../base/time.ts'
import { decisionJournal, type DecisionJournal } from '../decisions/journal.ts'
import { limitsOf, presets, type Limits } from '../model/limits.ts'
import type { ProvisioningService } from '../model/service.ts'
import type { DatabaseOptions } from '../sqlite/database.ts'
import { cachedStore } from '../store/cached-store.ts'
import { openSqliteStore } from '../store/sqlite-store.ts'
import type { Store } from '../store/store.ts'
import { openAuditFile } from './audit-file.ts'
import { auditLog, type AuditLog } from './audit-log.ts'
import type { Configuration } from './configuration.ts'
import { connectionMemory } from './connection-memory.ts'
import { openDoors, type Doors } from './doors.ts'
import { makeFolder } from './files.ts'
import { auditRetention, decisionRetention } from './from-configuration.ts'
import { keepPrivate } from './keep-private.ts'
import { auditTrouble, databaseLog, isToldByStore, logDecision } from './log.ts'
import { sampledLog, type SampledLog } from './sampled-log.ts'

/** What every wing of the service stands on: where things are kept, where they are told, and what connections may take. */
export interface Foundation {
  readonly configuration: Configuration
  readonly clocks: Clocks
  readonly log: Logger
  readonly sampled: SampledLog
  readonly onFault: (fault: unknown, trackingId?: string) => void
  /** The data folder. */
  readonly data: string
  readonly database: DatabaseOptions
  readonly store: Store
  readonly journal: DecisionJournal
  readonly audit: AuditLog
  /** What this deployment allows an instance. */
  readonly limits: Limits
  readonly limitsFor: (service: Pick<ProvisioningService, 'limits'>) => Limits
  readonly doors: Doors
  readonly memory: MemoryBudget
  /** Takes what has to be closed with the service; what was opened last is closed first. */
  readonly closing: AsyncDisposableStack
}

/** Milliseconds for which this node may not see what another one wrote. */
const cacheFreshFor = 5000

/** Lay the foundation. Throws where the data folder cannot be used or a setting cannot be. */
export function layFoundation(
  configuration: Configuration,
  log: Logger,
  clocks: Clocks,
  closing: AsyncDisposableStack,
): Foundation {
  const { monotonic } = clocks
  const data = resolve(configuration.data)
  makeFolder(data)
  for (const warning of keepPrivate(data)) log.warn(warning)

  const sampled = closing.use(sampledLog(log, monotonic, configuration.refusalsTold))
  const onFault = (fault: unknown, trackingId?: string) => {
    if (!isToldByStore(fault)) sampled.fault(fault, trackingId)
  }
  const doors = closing.use(openDoors(configuration, log, monotonic))
  const database = { tell: databaseLog(log), acceptLoss: configuration.acceptDataLoss === 'yes' }
  const store = closing.use(cachedStore(openSqliteStore(data, database), monotonic, cacheFreshFor))
  const limits = presets[configuration.limits]
  return {
    configuration,
    clocks,
    log,
    sampled,
    onFault,
    data,
    database,
    store,
    audit: closing.use(auditLog(openAuditFile(data, auditRetention(configuration), clocks), auditTrouble(log, data))),
    journal: closing.use(
      decisionJournal({
        ...clocks,
        store,
        retention: decisionRetention(configuration),
        toldPerMinute: configuration.refusalsTold,
        onTold: (decision) => logDecision(log, decision),
        onFault,
      }),
    ),
    limits,
    limitsFor: (service) => limitsOf(service, limits),
    doors,
    memory: connectionMemory(configuration, log, monotonic),
    closing,
  }
}

/** Asked before a change is made where the audit log is required; elsewhere there is nothing to ask. */
export function auditIntent({ configuration, audit }: Foundation): { readonly intend?: AuditLog['intend'] } {
  return configuration.audit === 'required' ? { intend: audit.intend } : {}
}
