import type { Challenge } from '../attestation/attestation.ts'
import { attest, type AttestationKinds } from '../attestation/attest.ts'
import type { Allocation } from '../allocation/allocate.ts'
import type { Decision } from '../model/decision.ts'
import { enrollmentId } from '../model/enrollment.ts'
import { registrationKey, type IdScope } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, Registration } from '../model/registration.ts'
import type { Clocks } from '../model/timestamp.ts'
import type { Store } from '../store/store.ts'
import { admit, type DeviceRequest } from './admit.ts'
import { deprovision, type Deprovisioned, type Deprovisioning } from './deprovision.ts'
import { disabledOperation } from './disabled.ts'
import type { RegistrationLimits } from './limits.ts'
import { operations, type Operations } from './operations.ts'
import { foreseePlace } from './place.ts'
import type { Hubs, Step } from './placing.ts'
import { resume } from './resume.ts'
import { beginTrail, endingOfThrown, noTrail, type Attempt } from './trail.ts'
import { shown } from '../wire/printable.ts'

/** What registration works with. */
export interface Stages extends Clocks {
  readonly store: Store
  readonly attestation: AttestationKinds
  readonly allocation: Allocation
  readonly hubs: Hubs
  /** Milliseconds for which an operation, once begun or resumed, waits for a hub that throttles or does not answer. */
  readonly patience: number
  /** Hears of every step of a placement before the next is taken. */
  readonly onStep?: (step: Step) => Promise<void> | void
  /** Milliseconds that a register call may take to be answered with its outcome; after that, `assigning`. 0: always. */
  readonly shortWait: number
  /** What instances and devices may do; absent: anything. */
  readonly limits?: RegistrationLimits
  /** Hears of every attempt, admitted or refused, once it has ended. */
  readonly onDecision: (decision: Decision) => void
  readonly onFault: (fault: unknown, trackingId: string) => void
}

/** What a device is answered with. */
export type RegisterAnswer = { readonly operation: Operation } | { readonly challenge: Challenge }

/** A device's way through: what every transport offers devices. Each refuses with a Refusal. */
export interface Registrar {
  /** Attest the device, allocate it to a hub, create it there: now if that is quick, else as an operation to be polled. */
  readonly register: (request: DeviceRequest) => Promise<RegisterAnswer>
  /** The operation, for the device that began it, from any connection. [device-wire §9.2] */
  readonly status: (request: DeviceRequest, operationId: string) => Promise<Operation>
  /** Refuses whoever may not register: for wires on which a device proves itself before it asks for anything. */
  readonly authenticate: (request: DeviceRequest) => Promise<void>
  /** What is remembered of the device. [device-wire §2.1] */
  readonly lookup: (request: DeviceRequest) => Promise<Registration>
  /** Tell of an attempt that a transport ended before it came to any of these; what they threw themselves is told already. */
  readonly turnedAway: (attempt: Attempt, thrown: unknown) => void
  /** Take a device out of service, by its enrollment, its registration and its identity at the hub. */
  readonly deprovision: (idScope: IdScope, registrationId: string, wanted: Deprovisioning) => Promise<Deprovisioned>
  /** Take up the operations that an earlier run left unfinished. */
  readonly resume: () => Promise<void>
  /** Settles when no operation is running. */
  readonly idle: () => Promise<void>
  /** How many operations are running, or wait for their turn. */
  readonly running: () => number
}

export function registrar(stages: Stages): Registrar {
  const running = operations(stages)
  return {
    register: (request) => register(request, stages, running),
    status: (request, operationId) => status(request, operationId, stages, running),
    authenticate: (request) => authenticate(request, stages),
    lookup: (request) => lookup(request, stages),
    turnedAway: (attempt, thrown) => tell(attempt, thrown, stages),
    deprovision: (idScope, registrationId, wanted) =>
      deprovision(idScope, registrationId, wanted, { ...stages, settle: running.settle }),
    resume: () => resume(stages, running),
    running: running.count,
    idle: running.idle,
  }
}

async function register(request: DeviceRequest, stages: Stages, running: Operations): Promise<RegisterAnswer> {
  const { store, monotonic, onDecision } = stages
  const trail = beginTrail(request, stages, onDecision)
  try {
    const presented = await admit(request, store, trail)
    stages.limits?.payload(presented.service, request.payload)
    const startedAt = monotonic()
    const verdict = await attest(presented, stages.attestation, store)
    const { enrollment } = verdict.is === 'attested' ? verdict.attested : verdict
    trail.note({ step: 'attested', enrollment: enrollmentId(enrollment), milliseconds: monotonic() - startedAt })
    switch (verdict.is) {
      case 'disabled': {
        const operation = await disabledOperation(verdict, stages)
        trail.end({ outcome: 'disabled' })
        return { operation }
      }
      case 'challenged': {
        // Accepting the challenge costs the device its hub key: that there is a hub for it comes first. [device-wire §5.6]
        await foreseePlace({ ...presented, enrollment: verdict.enrollment }, stages)
        const challenge = await verdict.issue()
        trail.end({ outcome: 'challenged' })
        return { challenge }
      }
      case 'attested':
        return { operation: await running.run(verdict.attested) }
    }
  } catch (error) {
    trail.end(endingOfThrown(error))
    markTold(error)
    throw error
  }
}

async function status(
  request: DeviceRequest,
  operationId: string,
  stages: Stages,
  running: Operations,
): Promise<Operation> {
  return toldIfRefused(request, 'poll', stages, async () => {
    const { service, registrationId } = await authenticated(request, stages)
    const retryAfter = stages.limits?.poll(service, registrationId)
    const operation =
      running.find({ idScope: service.idScope, registrationId }, operationId) ??
      (await stages.store.operations.get(service.idScope, operationId))
    if (!operation || registrationKey(operation.registrationId) !== registrationKey(registrationId)) {
      throw new Refusal('OperationAbsent', `${registrationId} has no operation ${shown(operationId, 100)}`)
    }
    return retryAfter === undefined ? operation : { ...operation, retryAfter }
  })
}

async function authenticate(request: DeviceRequest, stages: Stages): Promise<void> {
  await toldIfRefused(request, 'connect', stages, () => authenticated(request, stages))
}

async function lookup(request: DeviceRequest, stages: Stages): Promise<Registration> {
  return toldIfRefused(request, 'lookup', stages, async () => {
    const { service, registrationId } = await authenticated(request, stages)
    const registration = await stages.store.registrations.get(service.idScope, registrationId)
    if (!registration) throw new Refusal('DeviceRegistrationAbsent', `${registrationId} has not registered`)
    return registration
  })
}

/** Of what is not an attempt to register, only a refusal decides anything. */
async function toldIfRefused<T>(
  request: DeviceRequest,
  asked: NonNullable<Decision['asked']>,
  stages: Stages,
  answer: () => Promise<T>,
): Promise<T> {
  try {
    return await answer()
  } catch (error) {
    tell({ ...request, asked }, error, stages)
    throw error
  }
}

function tell(attempt: Attempt, thrown: unknown, stages: Stages): void {
  if (typeof thrown === 'object' && thrown !== null && told.has(thrown)) return
  beginTrail(attempt, stages, stages.onDecision).end(endingOfThrown(thrown))
  markTold(thrown)
}

/** What was thrown and has its decision record: it passes a transport on its way out. */
const told = new WeakSet<object>()

function markTold(thrown: unknown): void {
  if (typeof thrown === 'object' && thrown !== null) told.add(thrown)
}

/** The same proof as for registering; a device whose enrollment was disabled may still ask how its operation ended. */
async function authenticated(request: DeviceRequest, { store, attestation }: Stages) {
  const presented = await admit(request, store, noTrail)
  const verdict = await attest(presented, attestation, store)
  if (verdict.is === 'challenged')
    throw new Refusal('CredentialMissing', 'TPM keys alone prove nothing; a token is needed')
  return presented
}
