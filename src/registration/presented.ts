import type { X509Certificate } from 'node:crypto'
import type { Credential } from '../attestation/attestation.ts'
import { parseSasToken } from '../wire/sas-token.ts'
import { sasTokenFault } from '../wire/sas-token-fault.ts'
import { shown } from '../base/printable.ts'
import { fieldsOf } from '../wire/x509/certificate-fields.ts'
import { isReadable } from '../wire/x509/find-path.ts'
import { certificateOf } from '../wire/x509/known-certificates.ts'
import { shownName } from '../wire/x509/name.ts'

/** More certificates than this are counted, not shown. */
const mostShown = 4

/** A proof in the operator's words: enough to recognize it, nothing that would let anybody use it again. Never throws. */
export function describeCredential(credential: Credential): string {
  switch (credential.kind) {
    case 'none':
      return 'nothing'
    case 'token':
      return `${describeToken(credential.token)}${credential.claim ? `; ${credential.claim.shown}` : ''}`
    case 'certificate':
      return describeChain(credential.chain)
    case 'claim':
      return `${credential.claim.shown}, without a token`
  }
}

function describeToken(text: string): string {
  const token = parseSasToken(text)
  if (!token) return `what should be a token, of ${text.length} characters; it ${sasTokenFault(text)}`
  const { resource, expiry, keyName } = token
  const until = new Date(expiry * 1000).toISOString()
  return `a token for ${shown(resource, 300)}, good until ${until}${keyName ? `, key name ${shown(keyName, 100)}` : ''}`
}

function describeChain(chain: readonly Buffer[]): string {
  const shown = chain.slice(0, mostShown).map((der) => {
    const certificate = readable(der)
    if (!certificate) return 'one that cannot be read'
    const { subject, issuer, notAfter } = fieldsOf(certificate)
    const print = certificate.fingerprint256.replaceAll(':', '')
    return `${shownName(subject)} from ${shownName(issuer)}, until ${new Date(notAfter).toISOString()}, SHA-256 ${print}`
  })
  const more = chain.length > mostShown ? ` and ${chain.length - mostShown} more` : ''
  return `${chain.length} certificate${chain.length === 1 ? '' : 's'}: ${shown.join('; ')}${more}`
}

function readable(der: Buffer): X509Certificate | undefined {
  try {
    const certificate = certificateOf(der)
    return isReadable(certificate) ? certificate : undefined
  } catch {
    return undefined
  }
}
