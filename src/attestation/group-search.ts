import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { EnrollmentGroup } from '../model/enrollment.ts'
import { registrationKey, type IdScope } from '../model/identifiers.ts'
import { Refusal, type Diagnosis } from '../model/refusal.ts'
import { sameBytes, Secret } from '../base/secret.ts'
import type { Reader } from '../store/store.ts'
import { expectedSignature, type SasToken } from '../wire/sas-token.ts'
import type { Presented } from './attestation.ts'
import type { FailureBudget } from './failure-budget.ts'
import { keyMistake } from './key-mistakes.ts'
import type { SymmetricKeyMechanism } from './symmetric-key-mechanism.ts'
import { turns } from './turns.ts'

/** A group that has a key from which the device's was derived, and the spelling of the ID that it was derived for. */
export interface Vouched {
  readonly group: EnrollmentGroup
  readonly derivedFrom: string
}

/** Looks for the group that vouches for a token; undefined if the instance has none of this kind, a Refusal if none does. */
export type GroupSearch = (presented: Presented, token: SasToken) => Promise<Vouched | undefined>

/** Devices whose group is remembered beside their registrations: those that poll, above all. */
const mostRemembered = 50_000
/** Groups that are looked at before whoever else has something to do gets a turn: less than a millisecond. */
const slice = 32

interface Candidate extends EnrollmentGroup {
  readonly attestation: SymmetricKeyMechanism
}

/**
 * Nothing in a token names its group, so every group's keys may have to be tried: `HMAC(HMAC(group key, ID), token)` for each. A
 * device that is known has its own group tried first, at no charge; the rest is for whoever is not, within the budget. A failure
 * takes as many HMACs whether or not there is a registration. [device-wire §6.2, §6.3]
 */
export function groupSearch(store: Reader, budget: FailureBudget): GroupSearch {
  const remembered = new Map<string, { readonly group: string; readonly derivedFrom: string }>()
  const inTurn = turns()

  return async (presented, token) => {
    const { service, registrationId } = presented
    const groups = await symmetricGroups(store, service.idScope)
    if (groups.length === 0) return undefined
    const device = `${service.idScope}/${registrationKey(registrationId)}`
    // IDs are compared without regard to case, keys are not: whoever derived the key may have used either. [device-wire §6.3]
    const spellings = [...new Set([registrationId, registrationKey(registrationId)])]

    const known = remembered.get(device)
    const recalled = vouching(groups, known?.group, known ? [known.derivedFrom] : [], token)
    if (recalled) return recalled
    const registration = await store.registrations.get(service.idScope, registrationId)
    const asRegistered = [...spellings, registration?.registrationId ?? registrationId]
    const own = vouching(groups, registration?.enrollmentGroupId, asRegistered, token)
    if (own) return remember(own)

    try {
      const diagnose = () => keyMistake(presented, token, undefined, store)
      const search = () => searched(presented, groups, spellings, token, budget, diagnose)
      return remember(await (groups.length > slice ? inTurn(service.idScope, search) : search()))
    } catch (error) {
      // What a device that is known cost before, one that is not costs now.
      if (!known) tryDecoy([registrationId], token)
      if (registration?.enrollmentGroupId === undefined) tryDecoy(asRegistered, token)
      throw error
    }

    function remember(vouched: Vouched): Vouched {
      const { group, derivedFrom } = vouched
      remembered.delete(device)
      remembered.set(device, { group: group.enrollmentGroupId, derivedFrom })
      if (remembered.size > mostRemembered) remembered.delete(remembered.keys().next().value ?? '')
      return vouched
    }
  }
}

async function searched(
  presented: Presented,
  groups: readonly Candidate[],
  spellings: readonly string[],
  token: SasToken,
  budget: FailureBudget,
  diagnose: Diagnosis,
): Promise<Vouched> {
  const { first, giveBack } = budget.reserve(presented, groups.length * spellings.length)
  for (const derivedFrom of spellings) {
    for (const [index, group] of groups.entries()) {
      if (index % slice === slice - 1) await nextTurn()
      if (!vouches(group.attestation, derivedFrom, token)) continue
      giveBack()
      return { group, derivedFrom }
    }
  }
  // A common mistake, worth a second look at the first try and not at the hundredth.
  if (first) await refuseGroupKey(groups, token)
  for (const { enrollmentGroupId } of groups) {
    const found = 'group, symmetricKey: neither derived key signed the token'
    presented.trail.note({ step: 'candidate', enrollment: enrollmentGroupId, found })
  }
  throw new Refusal(
    'TokenSignatureInvalid',
    `there is no individual enrollment, and none of ${groups.length} symmetric key groups has a key that signed the token`,
    { diagnose },
  )
}

/** `HMAC-SHA256(group key, registration ID as UTF-8)`. [device-wire §6.3] */
export function deriveDeviceKey(groupKey: Secret, registrationId: string): Secret {
  return new Secret(groupKey.hmac(registrationId))
}

export function signedBy(token: SasToken, key: Secret): boolean {
  return sameBytes(token.signature, expectedSignature(token, key))
}

/** The second key is derived only where the first has not signed. */
function vouches({ primaryKey, secondaryKey }: SymmetricKeyMechanism, spelling: string, token: SasToken): boolean {
  return [primaryKey, secondaryKey].some((key) => signedBy(token, deriveDeviceKey(key, spelling)))
}

/** The group of this ID, if it is still there and vouches for one of the spellings. */
function vouching(
  groups: readonly Candidate[],
  id: string | undefined,
  spellings: readonly string[],
  token: SasToken,
): Vouched | undefined {
  const group = id === undefined ? undefined : byId(groups).get(id)
  const attestation = group?.attestation ?? decoy
  const derivedFrom = id === undefined ? undefined : spellings.find((one) => vouches(attestation, one, token))
  return group && derivedFrom !== undefined ? { group, derivedFrom } : undefined
}

/** Nobody has its keys. */
const decoy: SymmetricKeyMechanism = {
  type: 'symmetricKey',
  primaryKey: new Secret(randomBytes(32)),
  secondaryKey: new Secret(randomBytes(32)),
}

function tryDecoy(spellings: readonly string[], token: SasToken): void {
  for (const spelling of spellings) vouches(decoy, spelling, token)
}

async function refuseGroupKey(groups: readonly Candidate[], token: SasToken): Promise<void> {
  for (const [index, { attestation, enrollmentGroupId }] of groups.entries()) {
    if (index % slice === slice - 1) await nextTurn()
    if (!signedBy(token, attestation.primaryKey) && !signedBy(token, attestation.secondaryKey)) continue
    throw new Refusal(
      'TokenSignedWithGroupKey',
      `the token was signed with a key of the group ${enrollmentGroupId} itself; derive the device's key from it`,
    )
  }
}

async function symmetricGroups(store: Reader, idScope: IdScope): Promise<readonly Candidate[]> {
  const groups = await store.enrollmentGroups.withAttestation(idScope, 'symmetricKey')
  return groups as readonly Candidate[]
}

/** Worked out once for each list of groups that the store remembers. */
const ids = new WeakMap<readonly Candidate[], ReadonlyMap<string, Candidate>>()

function byId(groups: readonly Candidate[]): ReadonlyMap<string, Candidate> {
  let known = ids.get(groups)
  if (!known) ids.set(groups, (known = new Map(groups.map((group) => [group.enrollmentGroupId, group]))))
  return known
}
