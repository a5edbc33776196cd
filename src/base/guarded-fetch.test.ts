import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { FetchFailed, guardedFetch } from './guarded-fetch.ts'

const answers: Readonly<Record<string, RequestListener>> = {
  '/good': (_, answer) => answer.end('good'),
  '/large': (_, answer) => answer.end(Buffer.alloc(1001)),
  '/endless': (_, answer) => {
    const more = (): boolean => !answer.destroyed && answer.write(Buffer.alloc(1 << 16))
    answer.on('drain', more)
    more()
  },
  '/slow': (_, answer) => {
    const timer = setInterval(() => answer.write('.'), 20)
    answer.on('close', () => clearInterval(timer))
  },
  '/silent': () => undefined,
  '/moved': (_, answer) => answer.writeHead(302, { location: '/good' }).end(),
  '/absent': (_, answer) => answer.writeHead(404).end(),
}
const server = createServer((request, answer) => answers[request.url ?? '']?.(request, answer))
before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
after(() => (server.closeAllConnections(), server.close()))

const bounds = { allowedBy: '--some-networks', longest: 1000, patience: 200 }

function at(path: string, host = '127.0.0.1'): URL {
  return new URL(`http://${host}:${(server.address() as AddressInfo).port}${path}`)
}

test('what is short, soon there, and at an address that is allowed is given', async () => {
  const fetched = await guardedFetch({ ...bounds, allowed: () => true })(at('/good'))
  assert.equal(String(fetched), 'good')
})

const failures: readonly [path: string, message: RegExp][] = [
  ['/large', /^sent more than 1000 bytes$/],
  ['/endless', /^sent more than 1000 bytes$/],
  ['/slow', /^did not answer within 200 ms$/],
  ['/silent', /^did not answer within 200 ms$/],
  ['/moved', /^answered 302$/],
  ['/absent', /^answered 404$/],
]
for (const [path, message] of failures) {
  test(`a server at ${path} is given up, and it is said why`, async () => {
    const failed = guardedFetch({ ...bounds, allowed: () => true })(at(path))
    await assert.rejects(failed, (error) => error instanceof FetchFailed && message.test(error.message))
  })
}

for (const host of ['127.0.0.1', 'localhost', '[::1]', '169.254.169.254', '[::ffff:127.0.0.1]']) {
  test(`${host} is not called unless it is allowed`, async () => {
    const failed = guardedFetch({ ...bounds, allowed: () => false })(at('/good', host))
    await assert.rejects(failed, /^FetchFailed: is at an address that is not public; .* --some-networks$/)
  })
}
