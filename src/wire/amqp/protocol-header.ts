import { quoted } from '../../base/printable.ts'

/** Protocol headers: AMQP 1.0, and the SASL layer before it. [AMQP-1.0 §2.2, §5.3.2] */
export const header = {
  amqp: Buffer.from('AMQP\x00\x01\x00\x00', 'latin1'),
  sasl: Buffer.from('AMQP\x03\x01\x00\x00', 'latin1'),
}

/** These eight bytes in words. Protocol identifier 0 is AMQP itself, 2 its TLS layer, 3 its SASL layer; 0-9-1 has its version elsewhere. */
export function shownHeader(bytes: Buffer): string {
  const [id = 0, major, minor, revision] = bytes.subarray(4)
  if (bytes.toString('latin1', 0, 4) !== 'AMQP') return quoted(bytes.toString('latin1'))
  if (id === 0 && major === 0) return `that of AMQP ${major}-${minor}-${revision}`
  return `that of protocol ${id}, version ${major}.${minor}.${revision}`
}
