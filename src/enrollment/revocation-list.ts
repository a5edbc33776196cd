import { X509Certificate } from 'node:crypto'
import { issuerDigest } from '../attestation/revocation.ts'
import { Refusal } from '../model/refusal.ts'
import { revocationKey, type RevocationList, type RevokedSubject } from '../model/revocation.ts'
import { timestamp } from '../model/timestamp.ts'
import type { Store } from '../store/store.ts'
import { DerMalformed } from '../wire/der.ts'
import { parseRevocationList, type ParsedRevocationList } from '../wire/revocation-list.ts'
import type { Instance } from './instance.ts'

type Owner = Pick<Instance, 'idScope' | 'store' | 'clock'>

/** Fetch a list; rejects with a Refusal if there is no answer, or one that is too long. */
export type FetchList = (url: string) => Promise<Buffer>

/** Milliseconds after which a list that has a URL is fetched again. */
const refreshAfter = 60 * 60 * 1000

/**
 * Put every certificate of the list on the deny list, in place of what an earlier list of this name put there. Refuses a list
 * that no uploaded CA certificate or certificate of a group signed, that has expired, or that is older than the one before.
 */
export async function importRevocationList(
  name: string,
  bytes: Buffer,
  url: string | undefined,
  { idScope, store, clock }: Owner,
): Promise<RevocationList> {
  const list = parse(bytes)
  await demandSignature(list, idScope, store)
  const { issuer, issuerName, thisUpdate, nextUpdate, entries } = list
  if (nextUpdate && nextUpdate.getTime() < clock()) {
    throw new Refusal('RevocationListInvalid', `the list of ${issuer} expired on ${nextUpdate.toISOString()}`)
  }
  const before = (await store.revocationLists.all(idScope)).find((one) => one.name.toLowerCase() === name.toLowerCase())
  if (before && Date.parse(before.thisUpdate) > thisUpdate.getTime()) {
    throw new Refusal(
      'RevocationListInvalid',
      `the list is of ${thisUpdate.toISOString()}, older than ${before.thisUpdate}`,
    )
  }
  const createdDateTimeUtc = timestamp(clock())
  const source = sourceOf(name)
  const record: RevocationList = {
    name,
    issuer,
    thisUpdate: thisUpdate.toISOString(),
    ...(nextUpdate && { nextUpdate: nextUpdate.toISOString() }),
    revoked: entries.length,
    ...(url !== undefined && { url }),
    lastUpdatedDateTimeUtc: createdDateTimeUtc,
  }
  const digest = issuerDigest(issuerName)
  await store.transact((write) => {
    write.revocations.deleteFrom(idScope, source)
    for (const { serialNumber, reason } of entries) {
      const subject: RevokedSubject = { serialNumber, issuer: digest }
      write.revocations.put(idScope, { key: revocationKey(subject), subject, reason, source, createdDateTimeUtc })
    }
    write.revocationLists.put(idScope, record)
  })
  return record
}

/** Forget the list, and that its certificates were revoked. */
export async function deleteRevocationList({ name }: RevocationList, { idScope, store }: Owner): Promise<void> {
  await store.transact((write) => {
    write.revocations.deleteFrom(idScope, sourceOf(name))
    write.revocationLists.delete(idScope, name)
  })
}

/**
 * Fetch again the lists of every instance that have a URL and are an hour old. A list that cannot be had or used stays as it
 * is: what was revoked remains so. Gives a sentence for each that failed.
 */
export async function refreshRevocationLists(
  { store, clock }: Pick<Owner, 'store' | 'clock'>,
  fetchList: FetchList,
): Promise<readonly string[]> {
  const failures: string[] = []
  for (const { idScope, name: instance } of await store.services.all()) {
    for (const { name, url, lastUpdatedDateTimeUtc } of await store.revocationLists.all(idScope)) {
      const age = clock() - Date.parse(lastUpdatedDateTimeUtc)
      // A time to come is from before the clock was set back, and tells nothing.
      if (url === undefined || (age >= 0 && age < refreshAfter)) continue
      try {
        await importRevocationList(name, await fetchList(url), url, { idScope, store, clock })
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        failures.push(`${instance}: the revocation list ${name} could not be renewed: ${error.detail}`)
      }
    }
  }
  return failures
}

function parse(bytes: Buffer): ParsedRevocationList {
  try {
    return parseRevocationList(bytes)
  } catch (error) {
    if (error instanceof DerMalformed) throw new Refusal('RevocationListInvalid', error.message)
    throw error
  }
}

async function demandSignature(list: ParsedRevocationList, idScope: string, store: Store): Promise<void> {
  const [uploaded, groups] = await Promise.all([
    store.caCertificates.all(idScope),
    store.enrollmentGroups.withAttestation(idScope, 'x509'),
  ])
  const held = groups.flatMap(({ attestation }) =>
    attestation.type === 'x509' && attestation.of !== 'caReferences'
      ? [attestation.primary, attestation.secondary]
      : [],
  )
  const known = [...uploaded, ...held].flatMap((one) =>
    one ? [new X509Certificate(Buffer.from(one.der, 'base64'))] : [],
  )
  if (known.some((certificate) => list.signedBy(certificate))) return
  throw new Refusal(
    'RevocationListInvalid',
    `the list of ${list.issuer} was signed by no CA certificate that is uploaded or held by a group; upload its issuer first`,
  )
}

/** A deny list entry that an operator made is its own; those of a list go and come with it. */
function sourceOf(name: string): string {
  return `crl:${name.toLowerCase()}`
}
