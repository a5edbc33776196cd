import { createHash } from 'node:crypto'
import { registrationKey } from '../model/identifiers.ts'
import type { LinkedHub } from '../model/service.ts'
import type { AllocationPolicy, ToAllocate } from './allocation.ts'

/**
 * Weighted rendezvous hashing: a device goes to the hub with the highest score, and its score at one hub does not depend on
 * the others; so adding or removing a hub moves only the devices that it must. [service-wire §9.1]
 */
export const evenlyWeighted: AllocationPolicy = {
  name: 'hashed',
  automatic: true,
  external: false,
  choose: async (device, candidates) => ({ hub: highestScore(hashKey(device), candidates), repeatable: true }),
}

/** What stands for a device when it is hashed. */
export function hashKey({ service, registrationId }: Pick<ToAllocate, 'service' | 'registrationId'>): string {
  return `${service.idScope}\n${registrationKey(registrationId)}`
}

/** The hub, of at least one, to which this key belongs by weight. Where none has any, which is Terraform's default, all are alike. */
export function highestScore(key: string, hubs: readonly LinkedHub[]): LinkedHub {
  const weightless = hubs.every(({ allocationWeight }) => allocationWeight === 0)
  const scored = hubs.map((hub) => ({ hub, score: score(key, hub.hostName, weightless ? 1 : hub.allocationWeight) }))
  return scored.reduce((best, next) => (next.score > best.score ? next : best)).hub
}

function score(key: string, hostName: string, weight: number): number {
  // Others have scores above 0.
  if (weight === 0) return 0
  const digest = createHash('sha256').update(`${key}\n${hostName.toLowerCase()}`).digest()
  // 48 bits, moved off zero: a number in the open interval (0, 1).
  const unit = (digest.readUIntBE(0, 6) + 0.5) / 2 ** 48
  return -weight / Math.log(unit)
}
