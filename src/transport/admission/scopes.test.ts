import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scope } from './connection-scope.ts'
import { Scopes } from './scopes.ts'

test('a scope stays as long as somebody is in it, in whatever stage', () => {
  const scopes = new Scopes<string>(2)
  for (const stage of ['silent', 'handshake', 'unproven', 'failed', 'proven'] as const) {
    const scope = scopes.enter(stage)
    scope.add('one', stage)
    scopes.leave(stage)
    for (const other of ['a', 'b', 'c', 'd']) {
      scopes.enter(other)
      scopes.leave(other)
    }
    assert.equal(scopes.enter(stage), scope, stage)
    scope.remove('one', stage)
    assert.ok(scope.isEmpty)
    scopes.leave(stage)
  }
})

test('of those that nobody is in so many are remembered, half of them at least, the latest ones', () => {
  const scopes = new Scopes<string>(10)
  const all = Array.from({ length: 100 }, (_, index) => {
    const scope = scopes.enter(`stranger ${index}`)
    scopes.leave(`stranger ${index}`)
    assert.ok(scopes.size <= 10)
    return scope
  })
  for (let index = 99; index > 99 - 5; index--) assert.equal(scopes.enter(`stranger ${index}`), all[index])
  assert.notEqual(scopes.enter('stranger 0'), all[0])
})

test('those in which somebody has proved who they are, are not pushed out by the others', () => {
  const scopes = new Scopes<string>(10)
  const known = scopes.enter('known')
  known.provedAt = 1
  scopes.leave('known')
  for (let index = 0; index < 100; index++) {
    scopes.enter(`stranger ${index}`)
    scopes.leave(`stranger ${index}`)
  }
  assert.equal(scopes.enter('known'), known)
})

test('the one whose proof was refused gives way first, else the oldest of the fullest stage of those that may', () => {
  const scope = new Scope<string>()
  assert.equal(scope.first(['silent']), undefined)
  for (const [connection, stage] of [
    ['a', 'unproven'],
    ['b', 'silent'],
    ['c', 'unproven'],
    ['d', 'handshake'],
  ] as const)
    scope.add(connection, stage)
  assert.equal(scope.first(['silent', 'handshake', 'unproven', 'failed']), 'a')
  assert.equal(scope.first(['silent', 'handshake']), 'b')
  scope.add('e', 'failed')
  assert.equal(scope.first(['silent', 'handshake', 'unproven', 'failed']), 'e')
  assert.equal(scope.first(['silent', 'handshake', 'unproven']), 'a')
  assert.equal(scope.count(['unproven', 'failed']), 3)
  scope.add('f', 'proven')
  assert.equal(scope.first(['proven']), undefined)
  assert.equal(scope.count(['proven']), 1)
})
