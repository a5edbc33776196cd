import { DerMalformed, derTag, readDer, readSequence, type DerElement } from '../der.ts'
import { readName, type Name } from './name.ts'

/** What a certificate is named by. */
export interface Named {
  readonly subject: Name
  /** The content of the alternative names. */
  readonly extensions: { readonly subjectAltName?: Buffer }
}

/** Which names the certificates below a CA may have. [RFC 5280 §4.2.1.10] */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[]
  readonly excluded: readonly GeneralName[]
}

/** A name of one of the forms that are compared here; those of others never are the same. */
export type GeneralName =
  | { readonly form: 'email' | 'dns' | 'uri'; readonly text: string }
  | { readonly form: 'directory'; readonly name: Name }
  /** Four or sixteen bytes; in a constraint eight or thirty-two, address and mask. */
  | { readonly form: 'ip'; readonly bytes: Buffer }
  | { readonly form: 'other'; readonly tag: number }

const emailAddress = '1.2.840.113549.1.9.1'
const mostSubtrees = 256
const mostNames = 256

/** Throws DerMalformed, also for the distances that RFC 5280 does not use. */
export function readNameConstraints(bytes: Buffer): NameConstraints {
  const parts = readSequence(bytes, 'the name constraints')
  const subtrees = (tag: number) => readDer(parts.find((part) => part.tag === tag)?.content ?? Buffer.alloc(0))
  if (subtrees(0xa0).length + subtrees(0xa1).length > mostSubtrees) {
    throw new DerMalformed(`there are more than ${mostSubtrees} subtrees`)
  }
  return { permitted: subtrees(0xa0).map(readSubtree), excluded: subtrees(0xa1).map(readSubtree) }
}

/**
 * The first name of a certificate that its CA's constraints do not allow, in words; undefined if all are allowed. Throws
 * DerMalformed if the certificate's alternative names cannot be read.
 */
export function forbiddenName(constraints: NameConstraints, certificate: Named): string | undefined {
  for (const name of namesOf(certificate)) {
    const permitted = constraints.permitted.filter((subtree) => sameForm(subtree, name))
    if (permitted.length > 0 && !permitted.some((subtree) => isWithin(name, subtree))) {
      return `${shown(name)} is not among the names that are permitted`
    }
    const excluded = constraints.excluded.filter((subtree) => sameForm(subtree, name))
    if (excluded.some((subtree) => touches(name, subtree))) return `${shown(name)} is excluded`
  }
  return undefined
}

/** The subject, its e-mail addresses, and the alternative names. The common name is no host name. */
function namesOf({ subject, extensions }: Named): readonly GeneralName[] {
  const alternatives = extensions.subjectAltName ? readSequence(extensions.subjectAltName, 'the alternative names') : []
  if (alternatives.length > mostNames) throw new DerMalformed(`there are more than ${mostNames} alternative names`)
  const emails = subject.attributes.filter(({ type }) => type === emailAddress)
  return [
    ...(subject.parts.length > 0 ? [{ form: 'directory' as const, name: subject }] : []),
    ...emails.map(({ text }) => ({ form: 'email' as const, text })),
    ...alternatives.map(readGeneralName),
  ]
}

function readSubtree({ tag, content }: DerElement): GeneralName {
  const [base, ...distances] = tag === derTag.sequence ? readDer(content) : []
  if (!base) throw new DerMalformed('a subtree without a name')
  const minimum = distances[0]
  const isDefault = minimum?.tag === 0x80 && minimum.content.every((byte) => byte === 0)
  if (distances.length > (isDefault ? 1 : 0)) throw new DerMalformed('a subtree with distances')
  return readGeneralName(base)
}

function readGeneralName({ tag, content }: DerElement): GeneralName {
  switch (tag) {
    case 0x81:
      return { form: 'email', text: content.toString('latin1') }
    case 0x82:
      return { form: 'dns', text: content.toString('latin1') }
    case 0x86:
      return { form: 'uri', text: content.toString('latin1') }
    case 0x87:
      return { form: 'ip', bytes: content }
    case 0xa4: {
      const [name] = readDer(content)
      if (name?.tag !== derTag.sequence) throw new DerMalformed('a directory name that is none')
      return { form: 'directory', name: readName(name.content) }
    }
    default:
      return { form: 'other', tag }
  }
}

function sameForm(a: GeneralName, b: GeneralName): boolean {
  return a.form === b.form && (a.form !== 'other' || b.form !== 'other' || a.tag === b.tag)
}

/** Whether all that the name stands for is in the subtree. What cannot be compared is not. */
function isWithin(name: GeneralName, subtree: GeneralName): boolean {
  switch (name.form) {
    case 'directory':
      return subtree.form === 'directory' && subtree.name.parts.every((part, at) => part === name.name.parts[at])
    case 'dns':
      return subtree.form === 'dns' && isHostWithin(name.text, subtree.text, 'and below')
    case 'email':
      return subtree.form === 'email' && isMailboxWithin(name.text, subtree.text)
    case 'uri': {
      const host = hostOfUri(name.text)
      return subtree.form === 'uri' && host !== undefined && isHostWithin(host, subtree.text, 'exactly')
    }
    case 'ip':
      return subtree.form === 'ip' && isAddressWithin(name.bytes, subtree.bytes)
    case 'other':
      return false
  }
}

/** Whether something that the name stands for may be in the subtree. What cannot be compared may be. */
function touches(name: GeneralName, subtree: GeneralName): boolean {
  if (!isComparable(name) || isWithin(name, subtree)) return true
  if (name.form !== 'dns' || subtree.form !== 'dns' || !name.text.startsWith('*.')) return false
  return isHostWithin(subtree.text, name.text.slice(2), 'and below')
}

function isComparable(name: GeneralName): boolean {
  switch (name.form) {
    case 'email':
      return splitMailbox(name.text)[1] !== undefined
    case 'uri':
      return hostOfUri(name.text) !== undefined
    case 'ip':
      return name.bytes.length === 4 || name.bytes.length === 16
    default:
      return name.form !== 'other'
  }
}

/** A constraint that begins with a dot is for what is below it only. */
function isHostWithin(host: string, constraint: string, meaning: 'and below' | 'exactly'): boolean {
  const [name, base] = [host.toLowerCase().replace(/\.$/, ''), constraint.toLowerCase()]
  if (base === '') return true
  if (base.startsWith('.')) return name.endsWith(base) && name !== base
  return name === base || (meaning === 'and below' && name.endsWith(`.${base}`))
}

/** The part before the @ is compared as it is. [RFC 5280 §7.5] */
function isMailboxWithin(mailbox: string, constraint: string): boolean {
  const [local, host] = splitMailbox(mailbox)
  if (host === undefined) return false
  const [wanted, wantedHost] = splitMailbox(constraint)
  if (wantedHost === undefined) return isHostWithin(host, constraint, 'exactly')
  return local === wanted && host.toLowerCase() === wantedHost.toLowerCase()
}

function splitMailbox(text: string): readonly [local: string, host: string | undefined] {
  const at = text.lastIndexOf('@')
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)]
}

/** Constraints are for host names: a URI without one, or with an address, has none that could be compared. */
function hostOfUri(text: string): string | undefined {
  const authority = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(text)?.[1]
  const host = authority?.replace(/^.*@/, '').replace(/:\d*$/, '')
  return host && !/^[\d.]+$|[[\]:]/.test(host) ? host : undefined
}

function isAddressWithin(address: Buffer, constraint: Buffer): boolean {
  if (constraint.length !== address.length * 2) return false
  return address.every((byte, at) => {
    const mask = constraint[address.length + at]!
    return (byte & mask) === (constraint[at]! & mask)
  })
}

function shown(name: GeneralName): string {
  switch (name.form) {
    case 'directory':
      return 'the subject or directory name'
    case 'ip':
      return `the IP address ${[...name.bytes.subarray(0, 16)].join('.')}`
    case 'other':
      return `an alternative name of the form ${name.tag & 0x1f}`
    default:
      return `the ${name.form} name ${JSON.stringify(name.text.slice(0, 100))}`
  }
}
