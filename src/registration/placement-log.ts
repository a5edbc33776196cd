import type { Attested } from '../attestation/attestation.ts'
import { newEtag, type Etag, type OperationId } from '../model/identifiers.ts'
import type { Operation, Placement, Registration } from '../model/registration.ts'
import { timestamp, type Clocks, type Monotonic } from '../base/time.ts'
import type { Store } from '../store/store.ts'
import { recordOf } from './record.ts'
import { resumeState } from './resume-state.ts'

/** Where a placement is written down before it is carried out (write-ahead), so that a crash forgets none. */
export interface PlacementLog {
  readonly operationId: OperationId
  /** When the operation's time is out, by `monotonic`. */
  readonly until: number
  readonly monotonic: Monotonic
  /** When this run began; milliseconds since 1970. */
  readonly since: number
  /** What a failure has to take back, or go on with: the placement in its latest phase. */
  readonly current: () => Placement | undefined
  /** Note the placement down; durably, with its operation, where a crash must not forget it. Conflict if somebody else wrote. */
  readonly begin: (placement: Placement, durably: boolean) => Promise<void>
  /** What stands at the hub was there before: a failure takes nothing back. */
  readonly keep: () => void
  /** The etag of the registration as this run knows it; undefined if there is none. */
  readonly etag: () => Etag | undefined
}

/** The log of one run of an operation, over the registration that it found. */
export function openPlacementLog(
  attested: Attested,
  operation: Operation,
  before: Registration | undefined,
  { store, clock, monotonic, until }: Clocks & { readonly store: Store; readonly until: number },
): PlacementLog {
  let current = before?.placement
  let etag = before?.etag
  return {
    operationId: operation.id,
    until,
    monotonic,
    since: clock(),
    current: () => current,
    etag: () => etag,
    keep: () => (current = undefined),
    begin: async (placement, durably) => {
      current = placement
      if (!durably) return
      const registration: Registration = {
        ...recordOf(attested, before, timestamp(clock())),
        status: before?.status ?? 'assigning',
        assignment: before?.assignment,
        failure: before?.failure,
        payload: before?.payload,
        placement,
        etag: newEtag(),
      }
      await store.transact((write) => {
        write.registrations.put(attested.service.idScope, registration, etag)
        write.operations.put({ ...operation, resume: resumeState(attested) })
      })
      etag = registration.etag
    },
  }
}
