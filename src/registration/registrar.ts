import { attest } from '../attestation/attest.ts'
import type { Decision } from '../model/decision.ts'
import { registrationKey, type IdScope } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Operation, Registration } from '../model/registration.ts'
import { shown } from '../base/printable.ts'
import { admit, type DeviceRequest } from './admit.ts'
import { deprovision, type Deprovisioned, type Deprovisioning } from './deprovision.ts'
import type { RegistrationDependencies } from './dependencies.ts'
import { operationRunner, type OperationRunner } from './operation-runner.ts'
import { register, runOperation, type RegisterAnswer } from './register.ts'
import { resume } from './resume.ts'
import { noTrail, tell, type Attempt } from './trail.ts'

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

export function registrar(dependencies: RegistrationDependencies): Registrar {
  const operations = operationRunner(dependencies, (attested, operation, beforeEnd) =>
    runOperation(attested, operation, beforeEnd, dependencies),
  )
  return {
    register: (request) => register(request, dependencies, operations),
    status: (request, operationId) => status(request, operationId, dependencies, operations),
    authenticate: (request) => authenticate(request, dependencies),
    lookup: (request) => lookup(request, dependencies),
    turnedAway: (attempt, thrown) => tell(attempt, thrown, dependencies),
    deprovision: (idScope, registrationId, wanted) =>
      deprovision(idScope, registrationId, wanted, { ...dependencies, settle: operations.settle }),
    resume: () => resume(dependencies, operations),
    running: operations.count,
    idle: operations.idle,
  }
}

async function status(
  request: DeviceRequest,
  operationId: string,
  dependencies: RegistrationDependencies,
  operations: OperationRunner,
): Promise<Operation> {
  return toldIfRefused(request, 'poll', dependencies, async () => {
    const { service, registrationId } = await authenticated(request, dependencies)
    const retryAfter = dependencies.limits?.poll(service, registrationId)
    const operation =
      operations.find({ idScope: service.idScope, registrationId }, operationId) ??
      (await dependencies.store.operations.get(service.idScope, operationId))
    if (!operation || registrationKey(operation.registrationId) !== registrationKey(registrationId)) {
      throw new Refusal('OperationAbsent', `${registrationId} has no operation ${shown(operationId, 100)}`)
    }
    return retryAfter === undefined ? operation : { ...operation, retryAfter }
  })
}

async function authenticate(request: DeviceRequest, dependencies: RegistrationDependencies): Promise<void> {
  await toldIfRefused(request, 'connect', dependencies, () => authenticated(request, dependencies))
}

async function lookup(request: DeviceRequest, dependencies: RegistrationDependencies): Promise<Registration> {
  return toldIfRefused(request, 'lookup', dependencies, async () => {
    const { service, registrationId } = await authenticated(request, dependencies)
    const registration = await dependencies.store.registrations.get(service.idScope, registrationId)
    if (!registration) throw new Refusal('DeviceRegistrationAbsent', `${registrationId} has not registered`)
    return registration
  })
}

/** Of what is not an attempt to register, only a refusal decides anything. */
async function toldIfRefused<T>(
  request: DeviceRequest,
  asked: NonNullable<Decision['asked']>,
  dependencies: RegistrationDependencies,
  answer: () => Promise<T>,
): Promise<T> {
  try {
    return await answer()
  } catch (error) {
    tell({ ...request, asked }, error, dependencies)
    throw error
  }
}

/** The same proof as for registering; a device whose enrollment was disabled may still ask how its operation ended. */
async function authenticated(request: DeviceRequest, { store, attestation }: RegistrationDependencies) {
  const presented = await admit(request, store, noTrail)
  const verdict = await attest(presented, attestation, store)
  if (verdict.is === 'challenged')
    throw new Refusal('CredentialMissing', 'TPM keys alone prove nothing; a token is needed')
  if (verdict.is === 'attested') request.standing?.proved()
  return presented
}
