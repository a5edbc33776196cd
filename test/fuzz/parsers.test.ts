import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { readCorpus } from './engine/corpus.ts'
import { countBlocks } from './engine/coverage.ts'
import { search } from './engine/search.ts'
import { loadFrom } from './engine/target.ts'
import { parserTargets } from './targets/all.ts'

const inputs = 400
const seed = 20_261_125
const root = join(import.meta.dirname, '..', '..')

const coverage = countBlocks(pathToFileURL(join(root, 'src')).href)
const targets = await parserTargets(loadFrom(root))

for (const target of targets) {
  test(`${target.name}: what it was not made for is refused in its own words, in bounded work`, async () => {
    const corpus = readCorpus(target.name).map(({ bytes }) => bytes)
    const goOn = (tried: number): boolean => tried < corpus.length + inputs
    const { finding } = await search(target, { seed, corpus, goOn, coverage, learning: false })
    if (finding) {
      const shown = finding.input.subarray(0, 2000).toString('base64')
      assert.fail(
        `input ${finding.after} of seed ${seed} (base64: ${shown}): ${String((finding.error as Error).stack)}`,
      )
    }
  })
}
