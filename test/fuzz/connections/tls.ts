import { createSecureContext } from 'node:tls'
import { createRoot } from '../../fixtures/certificates.ts'
import type { Random } from '../engine/random.ts'
import { proxyHeader } from '../targets/words.ts'
import type { Conversation, Converse, Door } from './conversation.ts'

const doors: readonly Door[] = ['https', 'mqtt', 'amqp', 'management']

/** What comes where a TLS handshake is due: nothing of the kind, the beginning of one, or a PROXY header from nobody's proxy. */
export function garbageConversation(random: Random): Conversation {
  const hello = Buffer.concat([Buffer.from('16030100c8010000c40303', 'hex'), random.bytes(32), random.bytes(160)])
  const bytes = random.pick([
    () => random.bytes(random.size(2000)),
    () => hello.subarray(0, random.int(1, hello.length)),
    () => Buffer.concat([hello, random.bytes(random.size(400))]),
    () => Buffer.from('GET / HTTP/1.1\r\nHost: h\r\n\r\n'),
    () => proxyHeader(random),
    () => Buffer.from([0x15, 3, 3, 0, 2, 2, 40]),
    () => Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0]), random.bytes(0x4000)]),
  ])()
  return { to: random.pick(doors), tls: false, steps: [{ bytes, times: random.once(8) ? 50 : 1 }], broken: false }
}

/** A TLS client behind a load balancer that says where it came from, or something like it. */
export function proxyConversation(random: Random): Conversation {
  const bytes = Buffer.from('GET /0ne000A0B1C/registrations/dev?api-version=2021-06-01 HTTP/1.1\r\nHost: h\r\n\r\n')
  return {
    to: random.pick(['https', 'mqtt', 'amqp'] as const),
    before: proxyHeader(random),
    tls: true,
    steps: [{ bytes, times: 1 }],
    broken: false,
  }
}

/** Devices whose certificates OpenSSL reads at our end, and whose bytes were changed where it did not look. */
export async function certificateConversations(): Promise<Converse> {
  const root = await createRoot('Root of strangers')
  const middle = await root.issueAuthority('Middle of strangers')
  const leaves = await Promise.all([
    middle.issueLeaf('dev', { subject: 'CN=dev, OU=a+O=b' }),
    middle.issueLeaf('dev', { algorithm: 'ecdsa-p384' }),
    middle.issueLeaf('dev', { algorithm: 'rsa-2048', usage: 'none' }),
    middle.issueLeaf('__proto__'),
  ])
  return (random, idScope) => {
    const register = `/${idScope}/registrations/dev/register?api-version=2021-06-01`
    const bytes = Buffer.from(`PUT ${register} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}`)
    const { chainWithRoot, key } = random.pick(leaves)
    const [leaf = '', ...issuers] = chainWithRoot.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n?/g) ?? []
    const above = random.many(12, () => bentPem(random, random.pick([leaf, ...issuers])))
    const cert = [random.once(2) ? leaf : bentPem(random, leaf), ...(random.once(2) ? issuers : above)].join('')
    const certificate = { cert: fits(cert, key) ? cert : leaf, key }
    return { to: 'https', tls: true, certificate, steps: [{ bytes, times: 1 }], broken: false }
  }
}

/** Whether our own end would send this, which is not what is being tested. */
function fits(cert: string, key: string): boolean {
  try {
    createSecureContext({ cert, key })
    return true
  } catch {
    return false
  }
}

/** The certificate with a few bytes changed. */
function bentPem(random: Random, pem: string): string {
  const der = Buffer.from(pem.replaceAll(/-----.*-----|\s/g, ''), 'base64')
  for (let changes = random.int(1, 3); changes > 0; changes--) {
    const at = random.int(4, der.length - 1)
    der[at] = random.pick([0, 1, 0x30, 0x80, 0xff, random.int(0, 255)])
  }
  return `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
}
