import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isRouted, routerOf, type HttpRoute } from './router.ts'

const routes = [
  { method: 'GET', path: '/devices/:device' },
  { method: 'PUT', path: '/devices/:device' },
  { method: 'POST', path: '/devices/query' },
  { method: 'GET', path: '/devices/:device/modules/:module' },
] as const satisfies readonly HttpRoute[]
const router = routerOf<HttpRoute>(routes, { idleSlashes: 'all' })
const parametersOf = (method: string, path: string) => {
  const found = router.find(method, path)
  return isRouted(found) ? { ...found.parameters } : found
}

test('a path is found in any letter case, with slashes at its end, and its parameters as they were spelled', () => {
  for (const path of [
    '/devices/AbC',
    '/DEVICES/AbC',
    '/devices/AbC/',
    '/devices/AbC///',
    '/%64evices/AbC',
    '/devices/%41bC',
  ]) {
    assert.deepEqual(parametersOf('GET', path), { device: 'AbC' }, path)
  }
})

test('an API says how many slashes at the end of a path say nothing', () => {
  const taken = (idleSlashes: 'none' | 'one' | 'all', path: string) =>
    isRouted(routerOf<HttpRoute>(routes, { idleSlashes }).find('GET', path))
  for (const [idleSlashes, most] of [
    ['none', 0],
    ['one', 1],
    ['all', 9],
  ] as const) {
    for (const slashes of [0, 1, 2, 9]) {
      assert.equal(
        taken(idleSlashes, `/devices/a${'/'.repeat(slashes)}`),
        slashes <= most,
        `${idleSlashes}: ${slashes}`,
      )
    }
  }
})

test('each segment is decoded once and by itself', () => {
  for (const [escaped, name] of [
    ['a%2Fb', 'a/b'],
    ['a%252Fb', 'a%2Fb'],
    ['a;b', 'a;b'],
    ['a#b', 'a#b'],
    ['%C3%BC', 'ü'],
    ['a'.repeat(300), 'a'.repeat(300)],
    ['__proto__', '__proto__'],
    [':device', ':device'],
    ['..', '..'],
  ]) {
    assert.deepEqual(parametersOf('GET', `/devices/${escaped}`), { device: name }, escaped)
  }
  assert.deepEqual(parametersOf('GET', '/devices/a/modules/b'), { device: 'a', module: 'b' })
})

test('what is not found says why: no such path, another method, or no path at all', () => {
  for (const [method, path, why] of [
    ['GET', '/devices', 'unknownPath'],
    ['GET', '/', 'unknownPath'],
    ['GET', '', 'unknownPath'],
    ['GET', '//devices/a', 'unknownPath'],
    ['GET', '/devices//modules/b', 'unknownPath'],
    ['GET', '/devices/a/modules/b/c', 'unknownPath'],
    ['DELETE', '/devices/a', { methods: ['GET', 'PUT'] }],
    ['get', '/devices/a', { methods: ['GET', 'PUT'] }],
    ['PATCH', '/devices/query', { methods: ['GET', 'PUT', 'POST'] }],
    ['GET', '/devices/%', 'undecodable'],
    ['GET', '/devices/%FF', 'undecodable'],
  ] as const) {
    assert.deepEqual(parametersOf(method, path), why, `${method} ${path}`)
  }
})

test('a word of the path goes before a parameter that could be it, for its own method only', () => {
  const found = router.find('POST', '/devices/Query')
  assert.equal(isRouted(found) && found.route.path, '/devices/query')
  assert.deepEqual(parametersOf('GET', '/devices/query'), { device: 'query' })
})

test('two slashes are one only where an API says so', () => {
  const joined = routerOf<HttpRoute>(routes, { idleSlashes: 'all', doubledSlashes: true })
  for (const path of ['//devices/a', '/devices//a', '///devices///a//']) {
    const found = joined.find('GET', path)
    assert.deepEqual(isRouted(found) && { ...found.parameters }, { device: 'a' }, path)
  }
})

test('a parameter may be empty only where an API says so', () => {
  const empty = routerOf<HttpRoute>(routes, { idleSlashes: 'all', emptyParameters: true }).find(
    'GET',
    '/devices//modules/b',
  )
  assert.deepEqual(isRouted(empty) && { ...empty.parameters }, { device: '', module: 'b' })
})

test('a path of nothing but slashes leads nowhere', () => {
  assert.equal(router.find('GET', `/devices${'/'.repeat(60_000)}x`), 'unknownPath')
})

test('an API owns what begins as one of its routes does', () => {
  for (const path of ['/devices', '/Devices/', '/devices/a/b/c/d']) assert.ok(router.owns(path), path)
  for (const path of ['/', '/twins/a', '//devices', '/%']) assert.ok(!router.owns(path), path)
})
