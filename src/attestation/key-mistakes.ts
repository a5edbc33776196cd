import { setImmediate as nextTurn } from 'node:timers/promises'
import { sameBytes, Secret } from '../base/secret.ts'
import type { AttestationMechanism, EnrollmentGroup } from '../model/enrollment.ts'
import type { Reader } from '../store/store.ts'
import { expectedSignature, type SasToken } from '../wire/sas-token.ts'
import type { Presented } from './attestation.ts'
import type { SymmetricKeyMechanism } from './symmetric-key-mechanism.ts'

/** Groups, and other devices in all, of which the keys are tried: a hundred HMACs for a group, four for a device. */
const mostGroups = 32
const mostOthers = 200

interface Supposition {
  readonly key: Secret
  /** It is the right key: if it did not sign, it may have signed another text. */
  readonly isRight?: boolean
  /** What a device did that signed with it, to be put behind "the token was signed". */
  readonly found: string
}

/**
 * Which of the usual mistakes explains the signature of a token that nothing enrolled has signed; undefined if none does. Takes
 * some thousands of HMACs at most, ten or twenty milliseconds, and lets others go on in between. The sentence names keys by their enrollment and slot only.
 */
export async function keyMistake(
  presented: Pick<Presented, 'service' | 'registrationId'>,
  token: SasToken,
  individual: SymmetricKeyMechanism | undefined,
  store: Reader,
): Promise<string | undefined> {
  if (token.signature.length !== 32) {
    return `the signature has ${token.signature.length} bytes; HMAC-SHA256 in base64 gives 32: was it written in hex, or cut?`
  }
  for await (const suppositions of supposed(presented, individual, store)) {
    const right = suppositions.find(({ key }) => sameBytes(token.signature, expectedSignature(token, key)))
    if (right) return `the token was signed ${right.found}`
    const misspelt = suppositions.find(({ key, isRight }) => isRight && signsAnotherSpelling(token, key))
    if (misspelt) return `${spelling}: the token was signed ${misspelt.found}`
    await nextTurn()
  }
  return undefined
}

const spelling = 'another spelling of sr was signed than the one in the token, or no line feed stands between sr and se'

async function* supposed(
  { service, registrationId }: Pick<Presented, 'service' | 'registrationId'>,
  individual: SymmetricKeyMechanism | undefined,
  store: Reader,
): AsyncGenerator<readonly Supposition[]> {
  const { idScope } = service
  if (individual) {
    for (const { slot, key } of slots(individual)) yield ofIndividual(key, slot, registrationId)
  }
  const all = await store.enrollmentGroups.withAttestation(idScope, 'symmetricKey')
  const groups = all.slice(0, mostGroups)
  for (const group of groups) {
    for (const { slot, key } of slotsOf(group))
      yield ofGroup(key, slot, group.enrollmentGroupId, service, registrationId)
  }
  let left = mostOthers
  for (const group of groups) {
    const others = await store.registrations.sliceOfGroup(idScope, group.enrollmentGroupId, first(left))
    left -= others.length
    for (const other of others) {
      yield slotsOf(group).map(({ key }) => ({
        key: derived(key, other.registrationId),
        found: `with the key of ${other.registrationId}, another device of the group ${group.enrollmentGroupId}`,
      }))
    }
  }
  for (const other of await store.enrollments.slice(idScope, first(left))) {
    if (!isSymmetric(other.attestation)) continue
    const found = `with the key of the individual enrollment ${other.registrationId}`
    yield slots(other.attestation).map(({ key }) => ({ key, found }))
  }
}

function ofIndividual(key: Secret, slot: string, id: string): readonly Supposition[] {
  return [
    { key, isRight: true, found: `with the ${slot} key` },
    ...asText(key, `the ${slot} key`),
    {
      key: derived(key, id),
      found: `with a key derived from the ${slot} key: an individual enrollment's key signs itself, only a group's is derived from`,
    },
  ]
}

function ofGroup(
  key: Secret,
  slot: string,
  group: string,
  { idScope }: Presented['service'],
  id: string,
): readonly Supposition[] {
  const whose = `the ${slot} key of the group ${group}`
  const own = derived(key, id)
  const forms = [
    ['with a line feed at its end', `${id}\n`],
    ['with a carriage return and a line feed at its end', `${id}\r\n`],
    ['with a blank at its end', `${id} `],
    ['with a blank before it', ` ${id}`],
    ['in capitals', id.toUpperCase()],
    ['between quotation marks', `"${id}"`],
    ['within the resource', `${idScope}/registrations/${id}`],
  ] as const
  return [
    { key: own, isRight: true, found: `with the key that was derived from ${whose}, which does not count here` },
    { key, found: `with ${whose} itself: derive the device's key from it` },
    ...asText(key, whose),
    ...asText(own, `the key derived from ${whose}`),
    { key: derived(own, id), found: `with a key that was derived twice from ${whose}` },
    ...asText(key, whose).map((text) => ({
      key: derived(text.key, id),
      found: `with a key that was derived ${text.found}`,
    })),
    ...forms.map(([form, text]) => ({
      key: derived(key, text),
      found: `with a key that was derived from ${whose} for the registration ID ${form}`,
    })),
    { key: derived(key, group), found: `with a key that was derived from ${whose} for the name of the group` },
  ]
}

/** The text of a key taken for the key. */
function asText(key: Secret, whose: string): readonly Supposition[] {
  const bytes = key.reveal()
  const base64 = bytes.toString('base64')
  return (
    [
      [base64, `with the base64 text of ${whose}, which has to be decoded first`],
      [`${base64}\n`, `with the base64 text of ${whose} and a line feed, which has to be decoded first`],
      [bytes.toString('hex'), `with ${whose} written in hex`],
    ] as const
  ).map(([text, found]) => ({ key: new Secret(Buffer.from(text)), found }))
}

/** The right key over the wrong text. */
function signsAnotherSpelling({ resource, signedResource, signedExpiry, signature }: SasToken, key: Secret): boolean {
  const encoded = encodeURIComponent(resource)
  const lower = encoded.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())
  const texts = [resource, encoded, lower, resource.toLowerCase(), encodeURIComponent(resource.toLowerCase())]
  const others = texts.filter((text) => text !== signedResource).map((text) => `${text}\n${signedExpiry}`)
  const unbroken = [
    `${signedResource}${signedExpiry}`,
    `${signedResource}\r\n${signedExpiry}`,
    `${signedResource}\n${signedExpiry}\n`,
  ]
  return [...others, ...unbroken].some((text) => sameBytes(signature, key.hmac(text)))
}

function derived(key: Secret, text: string): Secret {
  return new Secret(key.hmac(text))
}

function slots({ primaryKey, secondaryKey }: SymmetricKeyMechanism) {
  return [
    { slot: 'primary', key: primaryKey },
    { slot: 'secondary', key: secondaryKey },
  ]
}

function isSymmetric(mechanism: AttestationMechanism): mechanism is SymmetricKeyMechanism {
  return mechanism.type === 'symmetricKey'
}

function slotsOf({ attestation }: EnrollmentGroup) {
  return isSymmetric(attestation) ? slots(attestation) : []
}

function first(limit: number) {
  return { after: '', limit }
}
