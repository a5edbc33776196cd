import { DerMalformed, readDer, readOid, type DerElement } from './der.ts'

// The abbreviations of .NET, which Azure shows and SDKs compare with. Everything else is `OID.<dotted>`.
const abbreviations: Readonly<Record<string, string>> = {
  '2.5.4.3': 'CN',
  '2.5.4.4': 'SN',
  '2.5.4.5': 'SERIALNUMBER',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'S',
  '2.5.4.9': 'STREET',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.12': 'T',
  '2.5.4.13': 'Description',
  '2.5.4.17': 'PostalCode',
  '2.5.4.18': 'POBox',
  '2.5.4.20': 'Phone',
  '2.5.4.42': 'G',
  '2.5.4.43': 'I',
  '1.2.840.113549.1.9.1': 'E',
  '0.9.2342.19200300.100.1.1': 'UID',
  '0.9.2342.19200300.100.1.25': 'DC',
}

/**
 * An X.501 name (the content of its SEQUENCE) as .NET writes it: most specific part first, `CN=x, OU=y, O=z`, parts with
 * special characters in quotes. Throws DerMalformed. [service-wire §3.3]
 */
export function distinguishedName(content: Buffer): string {
  return readDer(content)
    .toReversed()
    .map((set) => readDer(set.content).map(attribute).join(' + '))
    .join(', ')
}

function attribute({ content }: DerElement): string {
  const [type, value] = readDer(content)
  if (!type || !value) throw new DerMalformed('an attribute without its value')
  const oid = readOid(type.content)
  const shown = attributeText(value) ?? '#' + value.content.toString('hex').toUpperCase()
  return `${abbreviations[oid] ?? `OID.${oid}`}=${quote(shown)}`
}

/** What an attribute's value says, or undefined if it is of no type that is text. */
export function attributeText({ tag, content }: DerElement): string | undefined {
  switch (tag) {
    case 0x1e: // BMPString: UTF-16, big endian
      return Buffer.from(content.subarray(0, content.length & ~1))
        .swap16()
        .toString('utf16le')
    case 0x0c: // UTF8String
      return content.toString('utf8')
    case 0x12: // NumericString, PrintableString, TeletexString, IA5String, VisibleString
    case 0x13:
    case 0x14:
    case 0x16:
    case 0x1a:
      return content.toString('latin1')
    default:
      return undefined
  }
}

/** Case and the number of spaces do not tell names apart, nor does the type of string. [RFC 5280 §7.1, RFC 4518 §2] */
export function normalText(text: string): string {
  // oxlint-disable-next-line no-control-regex
  const folded = /^[\u0000-\u007f]*$/.test(text) ? text : text.normalize('NFKC')
  return folded.toLowerCase().trim().replaceAll(/\s+/g, ' ')
}

function quote(value: string): string {
  return value === '' || /^[\s#]|[,+="<>;\n\\]|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value
}
