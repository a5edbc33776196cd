import type { Allocation } from '../allocation/allocate.ts'
import type { AllocationPolicy } from '../allocation/allocation.ts'
import { byType, type AttestationKinds } from '../attestation/attestation-kind.ts'
import { failureBudget } from '../attestation/failure-budget.ts'
import { certificateExpiries } from '../instances/certificate-expiry.ts'
import type { RegistrationDependencies } from '../registration/dependencies.ts'
import { registrar, type Registrar } from '../registration/registrar.ts'
import { metrics, type Metrics } from '../transport/management-api/metrics.ts'
import { throttle, type Throttle } from '../transport/throttle.ts'
import type { Foundation } from './foundation.ts'
import { certificatePolicy } from './from-configuration.ts'
import type { HubWing } from './hub-wing.ts'
import { allocationOffers, attestationOffers } from './kinds.ts'
import type { AllocationOffer, AttestationOffer } from './offers.ts'

/** What registration is made of, where that is not what `npm start` takes. */
export interface RegistrationComposition {
  readonly attestation?: readonly AttestationOffer[]
  readonly allocation?: readonly AllocationOffer[]
  /** Hears of every step of a placement before the next is taken. */
  readonly onStep?: RegistrationDependencies['onStep']
}

/** How devices are attested, allocated and registered, whatever they speak. */
export interface RegistrationWing {
  readonly attestation: AttestationKinds
  readonly allocation: Allocation
  readonly registrar: Registrar
  readonly throttle: Throttle
  readonly metrics: Metrics
}

/** Open it, and go on with what an earlier run began: before a device can ask, that is under way again. */
export async function openRegistrationWing(
  foundation: Foundation,
  hubWing: HubWing,
  composition: RegistrationComposition,
): Promise<RegistrationWing> {
  const { configuration, clocks, store, journal, onFault, closing } = foundation
  const { hubs, guard } = hubWing
  const limits = throttle(foundation.limitsFor, store, clocks.monotonic)
  const attestation = await offeredAttestation(foundation, composition.attestation ?? attestationOffers)
  const avoids = configuration.brokenHubs === 'avoid'
  const allocation = {
    policies: offeredPolicies(foundation, guard, attestation, composition.allocation ?? allocationOffers),
    broken: ({ hostName }: { readonly hostName: string }) => (avoids ? guard.broken(hostName) : undefined),
  }
  const measures = metrics({
    ...clocks,
    store,
    running: () => register.running(),
    throttled: limits.throttled,
    hubs: guard.health,
    certificates: () => certificateExpiries(store),
    decisionsLost: journal.lost,
    decisionsCounted: journal.counted,
    connections: () => ({
      device: foundation.doors.devices.counts(),
      management: foundation.doors.management.counts(),
    }),
    memory: foundation.memory,
    audit: foundation.audit,
  })
  const register = registrar({
    ...clocks,
    store,
    attestation,
    allocation,
    hubs,
    patience: configuration.hubPatience,
    onStep: composition.onStep,
    shortWait: configuration.shortWait,
    limits: limits.devices,
    onDecision: (decision) => {
      journal.record(decision)
      measures.decided(decision)
    },
    onFault,
  })
  closing.defer(register.idle)
  await register.resume()
  return { attestation, allocation, registrar: register, throttle: limits, metrics: measures }
}

async function offeredAttestation(
  { configuration, clocks, store, log }: Foundation,
  offers: readonly AttestationOffer[],
): Promise<AttestationKinds> {
  const parts = {
    ...clocks,
    store,
    budget: failureBudget(configuration.groupTrials, clocks.monotonic),
    certificates: certificatePolicy(configuration, log),
  }
  return byType(await Promise.all(offers.map((offer) => offer(parts))))
}

/** A policy may ask those that stand before it, and is told of all that is offered once all of it is made. */
function offeredPolicies(
  { configuration, clocks, data, closing }: Foundation,
  guard: HubWing['guard'],
  kinds: AttestationKinds,
  offers: readonly AllocationOffer[],
): Readonly<Record<string, AllocationPolicy>> {
  const policies: Record<string, AllocationPolicy> = {}
  for (const offer of offers) {
    const policy = offer({
      configuration,
      data,
      monotonic: clocks.monotonic,
      latencyOf: ({ hostName }) => guard.latency(hostName),
      offered: () => ({ kinds, policies }),
      others: { ...policies },
      closing,
    })
    policies[policy.name] = policy
  }
  return policies
}
