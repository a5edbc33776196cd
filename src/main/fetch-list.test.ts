import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { Refusal } from '../model/refusal.ts'
import { listFetcher } from './fetch-list.ts'

const most = 8 << 20
const server = createServer(({ url }, answer) => {
  const bytes = Number(url?.slice(1))
  if (url === '/missing') answer.writeHead(404).end('nothing')
  else if (url === '/elsewhere') answer.writeHead(302, { location: '/3' }).end()
  else if (url === '/broken') answer.destroy()
  else answer.end(Buffer.alloc(bytes, 1))
})
before(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)))
after(() => server.close())

const allowed = (address: string) => address === '127.0.0.1'
const at = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${path}`

async function refused(url: string, says: RegExp, by: (address: string) => boolean = allowed): Promise<void> {
  await assert.rejects(listFetcher(by)(url), (error) => {
    assert.ok(error instanceof Refusal && error.reason === 'RevocationListInvalid', String(error))
    assert.match(error.detail, says)
    return true
  })
}

test('a list is fetched whole, up to 8 MiB', async () => {
  assert.deepEqual(await listFetcher(allowed)(at('3')), Buffer.alloc(3, 1))
  assert.equal((await listFetcher(allowed)(at(String(most)))).length, most)
  await refused(at(String(most + 1)), /^http:\/\/127\.0\.0\.1:\d+\/\d+ sent more than 8388608 bytes$/)
})

test('what is no list at its place is refused, and a redirect is not followed', async () => {
  await refused(at('missing'), /answered 404$/)
  await refused(at('elsewhere'), /answered 302$/)
  await refused(at('broken'), /could not be fetched: ECONNRESET$/)
})

test('only HTTP and HTTPS are spoken, and only to addresses that are public or allowed', async () => {
  for (const url of ['ftp://127.0.0.1/list', 'file:///etc/passwd', 'no url', ''])
    await refused(url, /^the url is neither http nor https$/)
  const nobody = () => false
  for (const host of ['127.0.0.1', 'localhost', '[::1]', '10.0.0.1', '169.254.169.254'])
    for (const scheme of ['http', 'https'])
      await refused(
        `${scheme}://${host}:9/list`,
        /is at an address that is not public; .* --outbound-networks$/,
        nobody,
      )
})
