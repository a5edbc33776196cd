import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { after, test } from 'node:test'
import { createRoot, type Authority } from '../../test/fixtures/certificates.ts'
import { AddressDenied } from './guarded-lookup.ts'
import { codeOf } from './error-code.ts'
import { AnswerTooLong, outgoing, trusting, type OutgoingCall } from './outgoing.ts'

const closing: (() => void)[] = []
after(() => closing.forEach((close) => close()))
const get = { method: 'GET', longest: 100 } satisfies OutgoingCall
const everywhere = () => true

async function serve(root: Authority, answer: RequestListener): Promise<URL> {
  const { chain, key } = await root.issueLeaf('127.0.0.1', { usage: 'serverAuth', names: ['127.0.0.1'] })
  const server = createServer({ cert: chain, key }, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => (server.closeAllConnections(), server.close()))
  return new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/a?b=c`)
}

function open(ca: readonly string[], connections = 4) {
  const call = outgoing({ allowed: everywhere, tls: trusting(ca), connections })
  closing.push(() => call[Symbol.dispose]())
  return call
}

const own = await createRoot('own')

test('what is asked arrives, and the answer comes whole', async () => {
  const url = await serve(own, async (request, response) => {
    const body = (await request.toArray()).join('')
    response.writeHead(201, { etag: 'e' }).end(`${request.method} ${request.url} ${request.headers['x-a']} ${body}`)
  })
  const { status, headers, body } = await open([own.certificate])(url, {
    ...get,
    method: 'PUT',
    headers: { 'x-a': 'b' },
    body: 'ü',
  })
  assert.deepEqual([status, headers.etag, String(body)], [201, 'e', 'PUT /a?b=c b ü'])
})

test('a CA of the operator is trusted beside those of the system, not instead of them', async () => {
  const system = await createRoot('system')
  const before = getCACertificates('default')
  setDefaultCACertificates([system.certificate])
  try {
    const call = open([own.certificate])
    for (const root of [own, system]) assert.equal((await call(await serve(root, (_, r) => r.end()), get)).status, 200)
    const foreign = call(await serve(await createRoot('foreign'), (_, r) => r.end()), get)
    await assert.rejects(foreign, (error) => /UNABLE_TO_VERIFY|CERT|SELF_SIGNED|ISSUER/.test(codeOf(error) ?? ''))
  } finally {
    setDefaultCACertificates(before)
  }
})

test('a server that is silent, or sends a little now and then, is given up; the wait for a connection does not count', async () => {
  const url = await serve(own, (request, response) => {
    if (request.url === '/silent') return
    if (request.url === '/drips') return void setInterval(() => response.write('.'), 20).unref()
    setTimeout(() => response.end(), 60)
  })
  const call = open([own.certificate], 1)
  const answers = await Promise.all(Array.from({ length: 8 }, () => call(url, { ...get, patience: 300 })))
  assert.equal(answers.length, 8)
  for (const path of ['/silent', '/drips']) {
    await assert.rejects(call(new URL(path, url), { ...get, patience: 100 }), /no answer within 100 ms/)
  }
})

test('an answer that is too long, and an address that is not allowed, end a call', async () => {
  const url = await serve(own, (_, response) => response.end('x'.repeat(101)))
  await assert.rejects(open([own.certificate])(url, get), AnswerTooLong)
  await assert.rejects(outgoing({ allowed: () => false, connections: 1 })(url, get), AddressDenied)
})

test('a path is sent as it is written, and a name and password of a URL are shown', async () => {
  const url = await serve(own, (request, response) => response.end(`${request.url} ${request.headers.authorization}`))
  const call = open([own.certificate])
  const written = { protocol: 'https:', host: '127.0.0.1', port: Number(url.port), path: '/devices/..?a' } as const
  assert.equal(String((await call(written, get)).body), '/devices/..?a undefined')
  const named = new URL(url)
  named.username = 'me'
  named.password = 'p@ss'
  const shown = Buffer.from('me:p@ss').toString('base64')
  assert.equal(String((await call(named, get)).body), `/a?b=c Basic ${shown}`)
})

test('a call that waits for a connection ends when its caller says so', async () => {
  const url = await serve(own, () => {})
  const call = open([own.certificate], 1)
  const first = call(url, { ...get, patience: 300 })
  await Promise.all([
    assert.rejects(first, /no answer within 300 ms/),
    assert.rejects(call(url, { ...get, signal: AbortSignal.timeout(50) }), { name: 'AbortError' }),
  ])
})
