import type { X509Certificate } from 'node:crypto'
import type { IdScope } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import { isDeltaOf, isKin, type ListedRevocation, type RevocationList } from '../model/revocation.ts'
import type { Reader } from '../store/store.ts'
import { DerMalformed } from '../wire/der.ts'
import { nameDigest, normalName } from '../wire/normal-name.ts'
import { fieldsOf } from '../wire/x509/certificate-fields.ts'
import { distributionPointsOf, type DistributionPoint } from '../wire/x509/distribution-points.ts'
import { bySubject, issuersAbove, type BySubject } from '../wire/x509/find-path.ts'
import { readName, shownName } from '../wire/x509/name.ts'
import { authorityDigestOf, issuersOf, namesOf } from './revocation-names.ts'

/** The lists of an instance, and the certificates among which they are asked about one. */
export interface Lists {
  readonly idScope: IdScope
  readonly store: Reader
  readonly all: readonly RevocationList[]
  /** The certificate that is asked about, and its issuers. */
  readonly path: readonly X509Certificate[]
  /** The CA certificates that the instance knows of. */
  readonly known: BySubject<X509Certificate>
}

/** The entry of a list that revokes this certificate; undefined if none does. [RFC 5280 §6.3.3] */
export async function listedRevocation(
  certificate: X509Certificate,
  lists: Lists,
): Promise<ListedRevocation | undefined> {
  const entries = await entriesOf(certificate, lists)
  return entries.find(({ entry, list }) => {
    if (entry.reason === 'removeFromCRL' || (list?.base !== undefined && isOvertaken(list, lists))) return false
    // What was revoked for another reason than a hold is revoked for good. [RFC 5280 §5.3.1]
    if (entry.reason !== 'certificateHold' || !list) return true
    return !entries.some((one) => one.entry.reason === 'removeFromCRL' && one.list && isDeltaOf(one.list, list))
  })?.entry
}

/** Whether a list is about certificates of this kind. What one of another kind says is not meant. [RFC 5280 §6.3.3 (b)] */
export function isAboutKind(certificates: ListedRevocation['certificates'], certificate: X509Certificate): boolean {
  return (
    certificates === (fieldsOf(certificate).extensions.basicConstraints?.ca ? 'ca' : 'user') || certificates === 'all'
  )
}

/**
 * The certificates that are known of whoever signed a list, if it may speak of certificates of this path: with one of those a
 * trust anchor is shared. [RFC 5280 §6.3.3 (f)]
 */
export function signersWithin({ path, known }: Lists, list: RevocationList): readonly X509Certificate[] {
  const key = issuerKey(list)
  const among = [known, bySubject(path, (one) => one)]
  const signers = among.flatMap((index) => (key === undefined ? [] : (index.get(key) ?? [])))
  return signers.filter((signer) => {
    if (authorityDigestOf(signer) !== list.authorities?.[0]) return false
    return [signer, ...issuersAbove([signer], among)].some((one) => path.some(({ raw }) => raw.equals(one.raw)))
  })
}

/** The key of the name of the list's issuer; undefined for a list of old. */
export function issuerKey(list: RevocationList): string | undefined {
  if (list.issuerName === undefined) return undefined
  let key = issuerKeys.get(list)
  if (key === undefined) issuerKeys.set(list, (key = readName(Buffer.from(list.issuerName, 'base64')).key))
  return key
}

const issuerKeys = new WeakMap<RevocationList, string>()

interface Entry {
  readonly entry: ListedRevocation
  readonly list: RevocationList | undefined
}

async function entriesOf(certificate: X509Certificate, lists: Lists): Promise<readonly Entry[]> {
  const { idScope, store, all, path } = lists
  const { serialNumber } = namesOf(certificate)
  const isMeant = ({ entry }: Entry) => isAboutKind(entry.certificates, certificate)
  const under = async (authority: string): Promise<readonly Entry[]> =>
    (await store.listedRevocations.under(idScope, authority, serialNumber)).map((entry) => ({
      entry,
      list: all.find(({ name }) => name.toLowerCase() === entry.list),
    }))

  const own = (await Promise.all([...issuersOf(certificate, path)].map(under))).flat()
  if (!all.some(({ scope }) => scope?.indirect)) return own.filter(isMeant)
  const byName = await under(nameDigest(normalName(fieldsOf(certificate).issuer.content)))
  return [...own, ...byName.filter(({ list }) => list && isNamedBy(certificate, list, lists))].filter(isMeant)
}

/** Whether the certificate says that this list's issuer speaks for its own: nobody else may revoke what another has issued. */
function isNamedBy(certificate: X509Certificate, list: RevocationList, lists: Lists): boolean {
  const names = pointsOf(certificate).some(({ listIssuer }) => listIssuer === issuerKey(list))
  return names && signersWithin(lists, list).length > 0
}

/** Refuses a certificate whose points cannot be read: it is listed under its issuer's name, and must not hide from that behind them. */
function pointsOf(certificate: X509Certificate): readonly DistributionPoint[] {
  try {
    return distributionPointsOf(certificate)
  } catch (error) {
    if (!(error instanceof DerMalformed)) throw error
    const whose = shownName(fieldsOf(certificate).subject)
    throw new Refusal('CertificateMalformed', `the distribution points of ${whose} cannot be read: ${error.message}`)
  }
}

/** Whether the complete list, which a delta says the changes of, is as new as the delta by now. */
function isOvertaken(delta: RevocationList, { all }: Lists): boolean {
  return all.some(
    (list) => list.base === undefined && isKin(delta, list) && BigInt(list.number ?? -1) >= BigInt(delta.number ?? 0),
  )
}
