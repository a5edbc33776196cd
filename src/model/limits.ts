/** What an instance may do and have. [service-wire §14.1] */
export interface Limits {
  readonly registrationsPerMinute: number
  readonly serviceOperationsPerMinute: number
  /** Per device. */
  readonly pollsPerTenSeconds: number
  readonly registrations: number
  readonly individualEnrollments: number
  readonly x509Groups: number
  readonly symmetricKeyGroups: number
  readonly caCertificates: number
  readonly linkedHubs: number
  /** Of a device's payload; every request ends at 96 KiB. */
  readonly messageBytes: number
}

/** The published limits of Azure's service. [service-wire §14.1] */
export const azureLimits: Limits = {
  registrationsPerMinute: 1000,
  serviceOperationsPerMinute: 1000,
  pollsPerTenSeconds: 5,
  registrations: 1_000_000,
  individualEnrollments: 1_000_000,
  x509Groups: 100,
  symmetricKeyGroups: 100,
  caCertificates: 25,
  linkedHubs: 50,
  messageBytes: 96 * 1024,
}

/** More than one machine does; they keep a runaway program from the rest. The wires themselves end at 96 KiB. */
export const generousLimits: Limits = {
  registrationsPerMinute: 1_000_000,
  serviceOperationsPerMinute: 1_000_000,
  pollsPerTenSeconds: 100,
  registrations: 100_000_000,
  individualEnrollments: 100_000_000,
  x509Groups: 10_000,
  symmetricKeyGroups: 1000,
  caCertificates: 1000,
  linkedHubs: 50,
  messageBytes: 96 * 1024,
}

/** Those that an instance is made with, where it has none of its own. */
export const presets = { generous: generousLimits, azure: azureLimits } as const

/** The limits of an instance: its own over the deployment's. */
export function limitsOf({ limits }: { readonly limits?: Partial<Limits> | undefined }, usual: Limits): Limits {
  return { ...usual, ...limits }
}
