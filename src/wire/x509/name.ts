import { contentOf, DerMalformed, derTag, readDer, readOid } from '../der.ts'
import { attributeText, distinguishedName, normalText } from '../distinguished-name.ts'
import { shown } from '../../base/printable.ts'

/** An X.501 name, read from DER. [RFC 5280 §4.1.2.4] */
export interface Name {
  /** The content of the SEQUENCE, as it was encoded. */
  readonly content: Buffer
  /** Each relative distinguished name, normalized: two of them are the same if these are. [RFC 5280 §7.1] */
  readonly parts: readonly string[]
  /** `parts` as one text: two names are the same if these are. */
  readonly key: string
  /** What has text, in the order of encoding, also where several share one relative distinguished name. */
  readonly attributes: readonly NameAttribute[]
}

export interface NameAttribute {
  /** Dotted. */
  readonly type: string
  readonly text: string
}

const commonNameType = '2.5.4.3'

/** The name in this SEQUENCE's content. Throws DerMalformed. */
export function readName(content: Buffer): Name {
  const attributes: NameAttribute[] = []
  const parts = readDer(content).map((set) =>
    readDer(contentOf(set, derTag.set, 'a part of a name'))
      .map((attribute) => {
        const [type, value, ...more] = readDer(contentOf(attribute, derTag.sequence, 'an attribute of a name'))
        if (!value || more.length > 0) throw new DerMalformed('an attribute of a name is not a type and a value')
        const oid = readOid(contentOf(type, derTag.oid, 'the type of an attribute'))
        const text = attributeText(value)
        if (text !== undefined) attributes.push({ type: oid, text })
        // Bytes that are no text of their type equal only themselves.
        return text === undefined || text.includes('\uFFFD')
          ? `${oid}#${value.tag}:${value.content.toString('hex')}`
          : counted(`${oid}=`, normalText(text))
      })
      .sort()
      .join('+'),
  )
  return { content, parts, key: parts.map((part) => counted('', part)).join(), attributes }
}

/**
 * The common name, or undefined. Where there are several, the last in the encoding, which is the most specific one and the one
 * that .NET takes.
 */
export function commonName({ attributes }: Name): string | undefined {
  return attributes.findLast(({ type, text }) => type === commonNameType && text !== '')?.text
}

/** The name for people, as .NET writes it, fit to stand in a sentence of ours. */
export function shownName({ content }: Name): string {
  return shown(distinguishedName(content) || '(an empty name)')
}

/** With its length, so that no two lists of texts join to the same one. */
function counted(prefix: string, text: string): string {
  return `${prefix}${text.length}:${text}`
}
