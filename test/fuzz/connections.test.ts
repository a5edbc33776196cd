import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { conversations } from './connections/all.ts'
import type { Conversation, Converse } from './connections/conversation.ts'
import { keptScripts, writeScript } from './connections/script.ts'
import { openSubject } from './connections/subject.ts'
import { notGivenBack, talk, wrongAfter } from './connections/talk.ts'
import { Random } from './engine/random.ts'
import { loadFrom } from './engine/target.ts'

const each = 48
/** How often a step is repeated at most: whole floods take minutes, and are in `npm run fuzz` and in test/wire/memory.test.ts. */
const mostTimes = 4096
const seed = 20_261_125
const root = join(import.meta.dirname, '..', '..')

const subject = await openSubject(root, '127.65.1')
after(() => subject[Symbol.asyncDispose]())
await subject.registerHonestly()
const before = subject.held()

for (const { name, conversation } of keptScripts()) {
  test(`${name}: what once broke something breaks nothing`, async () => {
    assert.equal(await wrongAfter(subject, [brief(conversation)], new Random(seed), before.memory), undefined)
  })
}

for (const [name, make] of await conversations(loadFrom(root), subject)) {
  test(`${name}: whatever strangers say, the service lives, stays within its memory, and serves honest devices`, async () => {
    await subject.recover()
    const makeBrief: Converse = (random, idScope) => brief(make(random, idScope))
    const { trouble, ends } = await talk(subject, makeBrief, { seed, goOn: (begun) => begun < each })
    if (trouble) {
      const scripts = trouble.conversations.map(writeScript).join('').slice(0, 6000)
      assert.fail(`seed ${seed}, conversation ${trouble.after}: ${trouble.what}\n${scripts}`)
    }
    assert.ok(ends.closed + ends.left > 0, 'some of them came to speak')
  })
}

test('after all of them, the process is the same one and holds what it held before', async () => {
  assert.equal(await notGivenBack(subject, before), undefined)
})

function brief(conversation: Conversation): Conversation {
  const steps = conversation.steps.map(({ bytes, times }) => ({ bytes, times: Math.min(times, mostTimes) }))
  return { ...conversation, steps }
}
