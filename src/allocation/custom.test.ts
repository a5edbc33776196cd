import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { CustomFailure } from './custom.ts'
import { policyModules } from './custom/modules.ts'
import { webhooks, type WebhookRules } from './custom/webhook.ts'
import { networks } from '../base/networks.ts'
import { shownUrl } from '../base/shown-url.ts'

let answer: (request: IncomingMessage, response: ServerResponse) => void = () => {}
let calls = 0
const server = createServer((request, response) => {
  calls++
  request.resume().on('end', () => answer(request, response))
})
await new Promise<void>((resolve) => server.listen(0, '127.70.9.1', resolve))
const { port } = server.address() as AddressInfo
const url = `http://127.70.9.1:${port}/api/pick?code=secret`
const folder = mkdtempSync(join(tmpdir(), 'hubward-policies-'))
const modules = policyModules(folder, { time: 300, memory: 32 })
const local = networks(['127.70.9.1'])
const opened: Disposable[] = []
after(async () => {
  for (const one of opened) one[Symbol.dispose]()
  await modules[Symbol.asyncDispose]()
  server.close()
  rmSync(folder, { recursive: true })
})

test('a webhook is called with its query, and its answer is JSON', async () => {
  let seen = ''
  answer = (request, response) => {
    seen = `${request.method} ${request.url} ${request.headers['content-type']}`
    response.end('{"iotHubHostName":"a"}')
  }
  assert.deepEqual(await call(url), { iotHubHostName: 'a' })
  assert.equal(seen, 'POST /api/pick?code=secret application/json; charset=utf-8')
  assert.equal(shownUrl(url), `http://127.70.9.1:${port}/api/pick?****`)
})

test('a byte order mark before the answer is not looked at', async () => {
  answer = (_, response) => response.end('\ufeff{"iotHubHostName":"a"}')
  assert.deepEqual(await call(url), { iotHubHostName: 'a' })
})

const failures: [name: string, answers: typeof answer, message: RegExp, attempts: number][] = [
  ['400 is final', (_, response) => response.writeHead(400).end(), /^status code: 400$/, 1],
  ['500 is tried once more', (_, response) => response.writeHead(500).end(), /^status code: 500$/, 2],
  ['a connection that breaks is tried once more', (request) => request.socket.destroy(), /^no connection: /, 2],
  [
    'a redirect is not followed',
    (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/' }).end(),
    /^status code: 302$/,
    1,
  ],
  ['silence ends at the time limit', () => {}, /^timeout$/, 1],
  ['what is not JSON fails', (_, response) => response.end('<html>'), /^the answer is not JSON$/, 1],
  [
    'an answer beyond 128 KiB is not read',
    (_, response) => response.end(`"${'x'.repeat(200_000)}"`),
    /^the answer is longer than 131072 bytes$/,
    1,
  ],
]
for (const [name, answers, message, attempts] of failures) {
  test(`a webhook that fails: ${name}`, async () => {
    answer = answers
    calls = 0
    await assert.rejects(call(url), { name: CustomFailure.name, message })
    assert.equal(calls, attempts)
  })
}

test('a function that fails once and then answers is believed', async () => {
  answer = (_, response) => {
    answer = (_, response) => response.end('1')
    response.writeHead(503).end()
  }
  assert.equal(await call(url), 1)
})

test('addresses inside are called only where the operator says so, as literals and behind names', async () => {
  calls = 0
  const denied = [
    'http://127.0.0.1/',
    'http://localhost/',
    'http://[::1]/',
    'http://169.254.169.254/latest/',
    'http://10.0.0.1/',
    'http://[::ffff:10.0.0.1]/',
    'http://2130706433/',
  ]
  for (const inside of denied)
    await assert.rejects(call(inside), { message: 'the webhook address is not allowed' }, inside)
  await assert.rejects(call(url, { allowHttp: false }), { message: 'the webhook is not https' })
  assert.equal(calls, 0)
})

test('a policy module gets the request and its answer is taken, and a changed file counts', async () => {
  policy('echo', 'export default (request: { registrationId: string }) => ({ iotHubHostName: request.registrationId })')
  assert.deepEqual(await modules('echo')({ registrationId: 'r' }), { iotHubHostName: 'r' })
  policy('echo', 'export default async () => ({ iotHubHostName: "changed" })', 1)
  assert.deepEqual(await modules('echo')({}), { iotHubHostName: 'changed' })
})

const hostile: [name: string, body: string, message: RegExp][] = [
  ['an endless loop', 'for (;;);', /^timeout$/],
  ['a promise that never settles', 'await new Promise(() => {})', /^timeout$/],
  [
    'a crash',
    'setTimeout(() => { throw new Error("boom") }); await new Promise(() => {})',
    /^the policy module crashed: boom/,
  ],
  ['leaving', 'process.exit(0)', /^the policy module ended its worker$/],
  ['hoarding memory', 'const all = []; for (;;) all.push(new Array(100_000).fill(1.5))', /crashed|timeout/],
  ['an exception', 'throw new TypeError("no")', /^the policy module threw: TypeError: no$/],
  ['no answer', '', /^the policy module answered nothing$/],
]
for (const [name, body, message] of hostile) {
  test(`a policy module fails its own registration only: ${name}`, async () => {
    policy(
      'hostile',
      `export default async (request: { bad?: boolean }) => { if (!request.bad) return "well"; ${body} }`,
      hostile.findIndex((row) => row[0] === name),
    )
    const ask = modules('hostile')
    const [bad, ...good] = await Promise.allSettled([ask({ bad: true }), ...Array.from({ length: 8 }, () => ask({}))])
    assert.ok(bad?.status === 'rejected')
    assert.match((bad.reason as Error).message, message)
    for (const one of good) assert.deepEqual(one, { status: 'fulfilled', value: 'well' })
  })
}

test('a module that is not there, or would be outside the folder, fails', async () => {
  for (const name of ['absent', '../custom', '']) await assert.rejects(modules(name)({}), /there is no policy module/)
})

test('a policy module cannot read the environment of the service', async () => {
  policy('environment', 'export default () => ({ names: Object.keys(process.env) })')
  assert.deepEqual(await modules('environment')({}), { names: [] })
})

function call(to: string, rules: Partial<WebhookRules> = {}) {
  const webhook = webhooks({ timeout: 300, allowHttp: true, allowed: local, ca: [], ...rules })
  opened.push(webhook)
  return webhook(to)({ registrationId: 'r' })
}

function policy(name: string, text: string, version = 0): void {
  writeFileSync(join(folder, `${name}.ts`), `${text}\n// ${version}\n`)
}
