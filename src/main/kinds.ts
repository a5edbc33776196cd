import { evenlyWeighted } from '../allocation/evenly-weighted.ts'
import { lowestLatency } from '../allocation/lowest-latency.ts'
import { staticConfiguration } from '../allocation/static.ts'
import { attestationKind } from '../attestation/attestation-kind.ts'
import { symmetricKey } from '../attestation/symmetric-key.ts'
import { tpm } from '../attestation/tpm.ts'
import { x509 } from '../attestation/x509.ts'
import { deploymentKey } from '../store/deployment-key.ts'
import { customCode } from './custom-code.ts'
import { latencySources } from './latency-sources.ts'
import type { AllocationOffer, AttestationOffer } from './offers.ts'

// What the service is made of: a new kind is a file of its own and a line here. docs/adding.md walks through it.

/** The kinds of attestation that are offered, in the order in which they are tried. */
export const attestationOffers: readonly AttestationOffer[] = [
  ({ store, clock, budget }) => attestationKind(symmetricKey(store, clock, budget)),
  ({ store, clock, certificates }) => attestationKind(x509(store, clock, certificates)),
  async ({ store, clock, monotonic, budget }) =>
    attestationKind(tpm(store, { clock, monotonic }, await deploymentKey(store, 'tpm-nonce'), budget)),
]

/** The allocation policies that are offered. */
export const allocationOffers: readonly AllocationOffer[] = [
  () => evenlyWeighted,
  ({ configuration, latencyOf }) => lowestLatency(latencySources(configuration, latencyOf)),
  () => staticConfiguration,
  customCode,
]
