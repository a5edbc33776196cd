import { names, type Random } from '../engine/random.ts'
import { json } from '../engine/json.ts'
import type { Conversation, Step } from './conversation.ts'

const paths = [
  '/SCOPE/registrations/dev/register?api-version=2021-06-01',
  '/enrollments/dev?api-version=2021-10-01',
  '/enrollments/query?api-version=2021-10-01',
  '/devices/dev?api-version=2021-04-12',
  '/devices/dev/messages/events?api-version=2021-04-12',
  '/twins/dev?api-version=2021-04-12',
  '/devices/query?api-version=2021-04-12',
  '/',
]
const members = ['registrationId', 'payload', 'tpm', 'attestation', 'query', 'mode']

/** HTTP/1.1 as bytes: requests in a row, bodies in chunks of any size, headers that nobody asked for. */
export function httpConversation(random: Random, idScope: string): Conversation {
  const broken = random.once(6)
  const steps = random.once(8) ? trickle(random, idScope) : random.many(4, () => request(random, idScope)).flat()
  return { to: 'https', tls: true, steps: [...steps, ...(broken ? [garbage(random)] : [])], broken }
}

/** A body that comes in chunks of a byte, as often as there is room for. */
function trickle(random: Random, idScope: string): readonly Step[] {
  const chunk = `${random.pick(['1', '01', '1;x=y'])}\r\nx\r\n`
  return [
    {
      bytes: Buffer.from(`${head(random, random.pick(['PUT', 'POST']), idScope)}Transfer-Encoding: chunked\r\n\r\n`),
      times: 1,
    },
    { bytes: Buffer.from(chunk), times: 2 ** random.int(17, 20) },
  ]
}

function request(random: Random, idScope: string): readonly Step[] {
  const body = Buffer.from(json(random, members))
  const once = (text: string | Buffer): Step => ({ bytes: Buffer.from(text), times: 1 })
  const start = head(
    random,
    random.pick(['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'TRACE']),
    idScope,
  )
  if (random.once(3)) return [once(`${start}\r\n`)]
  if (random.once(2))
    return [once(`${start}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`), once(body)]
  const chunks: Step[] = []
  for (let at = 0; at < body.length && chunks.length < 200;) {
    const piece = body.subarray(at, (at += random.int(1, 1 + random.size(4000))))
    chunks.push(once(Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])))
  }
  return [once(`${start}Transfer-Encoding: chunked\r\n\r\n`), ...chunks, once('0\r\n\r\n')]
}

/** A request line and headers, without the blank line. */
function head(random: Random, method: string, idScope: string): string {
  const printable = (text: string) => text.replaceAll(/[^\x21-\x7e]/g, '_')
  const headers = random.many(
    6,
    () =>
      `${random.pick(['X-A', 'Accept', 'If-Match', 'x-ms-continuation', 'x-ms-max-item-count', 'Cookie', 'Range', '__proto__'])}: ${printable(random.text(random.pick([20, 3000])))}\r\n`,
  )
  const authorization = random.pick([
    '',
    `Authorization: ${printable(random.text())}\r\n`,
    'Authorization: SharedAccessSignature sr=a&sig=b&se=9999999999\r\n',
    'Authorization: Bearer x.y.z\r\n',
  ])
  const path = random.once(4)
    ? `/${printable(random.text(40))}`
    : random
        .pick(paths)
        .replace('SCOPE', idScope)
        .replace('dev', random.once(3) ? encodeURIComponent(random.pick(names)) : 'dev')
  return `${method} ${path} HTTP/1.1\r\nHost: h\r\n${authorization}${headers.join('')}`
}

/** What no HTTP/1.1 server may go on after. */
function garbage(random: Random): Step {
  const lines = [
    '\0\0\0\0',
    'GET / HTTP/9.9\r\n\r\n',
    'GET\r\n\r\n',
    `GET /${'a'.repeat(70_000)} HTTP/1.1\r\n\r\n`,
    'GET / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n',
    'PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
  ]
  return { bytes: Buffer.from(random.pick(lines)), times: 1 }
}
