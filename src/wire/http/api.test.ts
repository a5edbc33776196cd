import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Json } from '../../base/json.ts'
import type { HttpRequest } from '../http.ts'
import { httpApi, type EndedCall } from './api.ts'
import { routerOf, type HttpRoute } from './router.ts'

class No extends Error {
  readonly status: number
  constructor(status: number, why: string) {
    super(why)
    this.status = status
  }
}

interface Route extends HttpRoute {
  readonly does: (body: Json | undefined) => Promise<Json>
}

const routes: readonly Route[] = [
  { method: 'POST', path: '/echo', does: async (body) => body ?? null },
  { method: 'POST', path: '/fails', does: async () => Promise.reject(new TypeError('a bug')) },
]

/** One API, what it heard of the last request, and a request to it. */
function subject(standingAtFirst: { isProven: boolean } = { isProven: false }) {
  const heard = { bodies: 0, proved: 0, failed: 0, faults: [] as unknown[], ends: [] as EndedCall<Json>[] }
  const api = httpApi<Route, string, string, Json>(
    {
      router: routerOf(routes, { idleSlashes: 'all' }),
      largestBody: 10,
      bodies: 'json',
      refusal: (why) => new No(typeof why === 'string' && why.startsWith('o') ? 405 : 400, JSON.stringify(why)),
      authenticate: async ({ request }) => {
        if (request.headers['authorization'] === undefined) throw new No(401, 'who?')
        return String(request.headers['authorization'])
      },
      authorize: async (_, caller) => {
        if (caller === 'guest') throw new No(403, 'not you')
        return 'all'
      },
      run: ({ route, body }) => route.does(body),
      success: (answer) => ({ status: 200, body: JSON.stringify(answer) }),
      failure: (thrown) => ({ status: thrown instanceof No ? thrown.status : 500, body: String(thrown) }),
      statusOf: (thrown) => (thrown instanceof No ? thrown.status : undefined),
      onFault: (fault) => heard.faults.push(fault),
      onEnd: (_, ended) => heard.ends.push(ended),
    },
    { monotonic: () => 0 as never },
  )
  const ask = (caller: string | undefined, path: string, body: Buffer | 'overlong' | 'aborted', type?: string) => {
    const request: HttpRequest = {
      method: 'POST',
      path,
      query: new URLSearchParams(),
      headers: { authorization: caller, 'content-type': type },
      body: async () => {
        heard.bodies++
        return body
      },
      peer: {
        remoteAddress: '192.0.2.1',
        certificateChain: [],
        standing: {
          proved: () => void heard.proved++,
          failed: () => void heard.failed++,
          isProven: () => standingAtFirst.isProven,
        },
      },
    }
    return api.handle(request)
  }
  return { heard, ask }
}

test('a call that may be made is answered, and its connection has proved something', async () => {
  const { heard, ask } = subject()
  const { status, body } = await ask('owner', '/echo', Buffer.from('\ufeff{"a":1}'))
  assert.deepEqual([status, body, heard.proved, heard.failed], [200, '{"a":1}', 1, 0])
  assert.deepEqual(heard.ends, [{ answer: { a: 1 } }])
})

test('nothing of a body is read for whoever may not call', async () => {
  for (const [caller, status] of [
    [undefined, 401],
    ['guest', 403],
  ] as const) {
    const { heard, ask } = subject()
    assert.equal((await ask(caller, '/echo', Buffer.from('{}'))).status, status)
    assert.equal(heard.bodies, 0)
    assert.equal(heard.ends.length, 1, 'the audit log hears of it')
  }
})

test('a body that cannot be had is refused by what is wrong with it', async () => {
  for (const [body, type, why] of [
    ['aborted', undefined, 'aborted'],
    ['overlong', undefined, 'overlong'],
    [Buffer.from('{}'), 'text/plain', 'mediaType'],
    [Buffer.from('{'), 'application/json', 'notJson'],
    [Buffer.from('['.repeat(80)), undefined, 'deeper'],
  ] as const) {
    const answer = await subject().ask('owner', '/echo', body, type)
    assert.equal(answer.status, why === 'overlong' ? 405 : 400)
    assert.match(String(answer.body), new RegExp(why))
  }
  for (const type of ['application/json; charset=utf-8', 'Application/merge-patch+JSON', undefined]) {
    assert.equal((await subject().ask('owner', '/echo', Buffer.from('1'), type)).status, 200)
  }
})

test('what is thrown on purpose counts against a connection that has proved nothing; a fault of ours never does', async () => {
  for (const [caller, path, isProven, failed] of [
    [undefined, '/echo', true, 1],
    ['owner', '/nowhere', false, 1],
    ['owner', '/nowhere', true, 0],
    ['owner', '/fails', false, 0],
  ] as const) {
    const { heard, ask } = subject({ isProven })
    const { status } = await ask(caller, path, Buffer.alloc(0))
    assert.equal(heard.failed, failed, path)
    assert.equal(heard.faults.length, status === 500 ? 1 : 0)
  }
})
