import type { X509Certificate } from 'node:crypto'
import { Refusal } from '../model/refusal.ts'
import { isDeltaOf, type RevocationList } from '../model/revocation.ts'
import { DerMalformed } from '../wire/der.ts'
import { revocationReasons } from '../wire/distribution-point.ts'
import { fieldsOf } from '../wire/x509/certificate-fields.ts'
import { distributionPointsOf, type DistributionPoint } from '../wire/x509/distribution-points.ts'
import { issuersAbove } from '../wire/x509/find-path.ts'
import { shownName } from '../wire/x509/name.ts'
import { isAboutKind, issuerKey, signersWithin, type Lists } from './listed.ts'
import { authorityDigestOf, issuersOf } from './revocation-names.ts'

/** How a certificate was revoked, if it was. */
export type RevocationOf = (certificate: X509Certificate, lists: Lists) => Promise<string | undefined>

/**
 * Refuse if there is a certificate among these of which the lists do not say, for every reason and as of now, whether it was
 * revoked. `at` in milliseconds. [RFC 5280 §6.3.3]
 */
export async function demandCoverage(
  certificates: readonly X509Certificate[],
  lists: Lists,
  at: number,
  revocationOf: RevocationOf,
): Promise<void> {
  for (const certificate of certificates) {
    const speaking = await listsAbout(certificate, lists, at, revocationOf)
    const covered = new Set(speaking.flatMap(({ reasons }) => reasons))
    if (revocationReasons.every((reason) => covered.has(reason))) continue
    const { subject, issuer } = fieldsOf(certificate)
    const lacking =
      covered.size > 0
        ? `the lists that speak of it are about ${[...covered].join(', ')} only`
        : `no list of ${shownName(issuer)} that speaks of it is imported and current`
    throw new Refusal(
      'CertificateRevocationUnknown',
      `whether the certificate ${shownName(subject)} was revoked is not known: ${lacking}`,
    )
  }
}

interface Speaking {
  readonly list: RevocationList
  readonly reasons: readonly string[]
}

async function listsAbout(
  certificate: X509Certificate,
  lists: Lists,
  at: number,
  revocationOf: RevocationOf,
): Promise<readonly Speaking[]> {
  const current = lists.all.filter((list) => isCurrent(list, lists, at))
  const speaking = pointsOf(certificate).flatMap((point) =>
    current
      .filter((list) => speaksAt(point, list, certificate, lists))
      .map((list) => ({ list, reasons: reasonsAt(point, list) })),
  )
  const standing: Speaking[] = []
  for (const one of speaking) if (await isSignerStanding(one.list, lists, revocationOf)) standing.push(one)
  return standing
}

/** No list speaks of a certificate whose points cannot be read. */
function pointsOf(certificate: X509Certificate): readonly DistributionPoint[] {
  try {
    return distributionPointsOf(certificate)
  } catch (error) {
    if (error instanceof DerMalformed) return []
    throw error
  }
}

/** A complete list, all of it written, whose successor is not due; or that of a delta which brings it up to date. */
function isCurrent(list: RevocationList, { all }: Lists, at: number): boolean {
  if (list.base !== undefined || list.incomplete === true) return false
  const isAhead = ({ nextUpdate }: RevocationList) => nextUpdate !== undefined && Date.parse(nextUpdate) > at
  return isAhead(list) || all.some((delta) => delta.incomplete !== true && isAhead(delta) && isDeltaOf(delta, list))
}

/** Whether a list is one of those that this point of a certificate means. [RFC 5280 §6.3.3 (b)] */
function speaksAt(
  { names, listIssuer }: DistributionPoint,
  list: RevocationList,
  certificate: X509Certificate,
  lists: Lists,
): boolean {
  const { scope, authorities = [] } = list
  if (!scope || !isAboutKind(scope.certificates, certificate)) return false
  if (scope.distributionPoint !== undefined && !scope.points?.some((point) => names.includes(point))) return false
  if (listIssuer !== undefined) {
    return scope.indirect === true && listIssuer === issuerKey(list) && signersWithin(lists, list).length > 0
  }
  const issuers = issuersOf(certificate, lists.path)
  return authorities.some((authority) => issuers.has(authority))
}

/** [RFC 5280 §6.3.3 (d)] */
function reasonsAt({ reasons = revocationReasons }: DistributionPoint, { scope }: RevocationList): readonly string[] {
  return reasons.filter((reason) => scope?.reasons?.includes(reason) ?? true)
}

/** Whoever stands on the path was looked at with it; a key that only signs lists, or another's, is looked at here. */
async function isSignerStanding(list: RevocationList, lists: Lists, revocationOf: RevocationOf): Promise<boolean> {
  if (lists.path.some((one) => authorityDigestOf(one) === list.authorities?.[0])) return true
  for (const signer of signersWithin(lists, list)) {
    const path = [signer, ...issuersAbove([signer], [lists.known])]
    if ((await revocationOf(signer, { ...lists, path })) === undefined) return true
  }
  return false
}
