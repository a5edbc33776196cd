import assert from 'node:assert/strict'
import { test } from 'node:test'
import { turns } from './turns.ts'

test('work for one key is done one after another, also after a failure, and other keys do not wait', async () => {
  const inTurn = turns()
  const seen: string[] = []
  const first = Promise.withResolvers<void>()
  const work = (name: string, until?: Promise<void>) => async () => {
    seen.push(`${name} begins`)
    await until
    seen.push(`${name} ends`)
    if (name === 'a2') throw new Error('a2 failed')
    return name
  }
  const all = [inTurn('a', work('a1', first.promise)), inTurn('a', work('a2')), inTurn('a', work('a3'))]
  const settled = Promise.allSettled(all)
  assert.equal(await inTurn('b', work('b1')), 'b1')
  assert.deepEqual(seen, ['a1 begins', 'b1 begins', 'b1 ends'])
  first.resolve()
  assert.deepEqual(
    (await settled).map((one) => one.status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(seen.slice(3), ['a1 ends', 'a2 begins', 'a2 ends', 'a3 begins', 'a3 ends'])
})

test('a line that is too long is refused, and takes more once it has moved on', async () => {
  const inTurn = turns()
  const first = Promise.withResolvers<void>()
  const waiting = Array.from({ length: 1000 }, () => inTurn('a', () => first.promise))
  await assert.rejects(
    inTurn('a', async () => {}),
    { reason: 'Throttled' },
  )
  first.resolve()
  await Promise.all(waiting)
  assert.equal(await inTurn('a', async () => 7), 7)
})
