import type { X509Certificate } from 'node:crypto'
import { DerMalformed, derTag, readDer } from '../der.ts'
import { eachExtension } from './extensions.ts'

/** What decides whether a certificate's key may sign lists. */
export interface ListSigner {
  /** The content of its DER name. */
  readonly subjectName: Buffer
  /** What `authorityKeyIdentifier` of its lists repeats. */
  readonly subjectKeyIdentifier?: Buffer
  /** True if its key usage forbids signing lists: there is one, and it does not name cRLSign. [RFC 5280 §4.2.1.3] */
  readonly mayNotSignLists: boolean
  /** False if its basic constraints say that it is no CA; undefined if it has none. */
  readonly isCa?: boolean
}

const extensionsTag = 0xa3
/** Of the first byte of KeyUsage. */
const cRLSign = 0x02

/** Read what a signer of lists is known by. Throws DerMalformed. [RFC 5280 §4.1] */
export function listSigner({ raw }: Pick<X509Certificate, 'raw'>): ListSigner {
  const [certificate] = readDer(raw)
  const [tbs] = readDer(certificate!.content)
  const fields = readDer(tbs!.content)
  if (fields[0]?.tag === derTag.version) fields.shift()
  const subject = fields[4]
  if (!subject) throw new DerMalformed('a certificate without its subject')
  const extensions = fields.find(({ tag }) => tag === extensionsTag)
  const values = new Map(
    [...eachExtension(readDer(extensions?.content ?? Buffer.alloc(0))[0]?.content ?? Buffer.alloc(0))].map(
      ({ oid, value }) => [oid, readDer(value)[0]] as const,
    ),
  )
  const usage = values.get('2.5.29.15')?.content
  const constraints = values.get('2.5.29.19')
  const subjectKeyIdentifier = values.get('2.5.29.14')?.content
  const isCa = constraints && (readDer(constraints.content)[0]?.content[0] ?? 0) !== 0
  return {
    subjectName: subject.content,
    mayNotSignLists: usage !== undefined && ((usage[1] ?? 0) & cRLSign) === 0,
    ...(subjectKeyIdentifier && { subjectKeyIdentifier }),
    ...(isCa !== undefined && { isCa }),
  }
}
