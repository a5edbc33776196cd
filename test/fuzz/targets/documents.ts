import assert from 'node:assert/strict'
import type * as hubRefusalModule from '../../../src/bundled-hub/hub-refusal.ts'
import type * as mergePatchModule from '../../../src/bundled-hub/merge-patch.ts'
import type * as twinRequestModule from '../../../src/bundled-hub/twin-request.ts'
import type * as jsonModule from '../../../src/base/json.ts'
import type * as twinRulesModule from '../../../src/wire/twin-rules.ts'
import type { Json } from '../../../src/base/json.ts'
import { filled, json } from '../engine/json.ts'
import { orRefused, type Load, type MakeTargets, type Target } from '../engine/target.ts'

type Parsing = typeof jsonModule

/** Twins, and what is done with them: rules, merge patches, differences. */
export const documentTargets: MakeTargets = async (load) => Promise.all([mergePatch(load), twin(load)])

async function mergePatch(load: Load): Promise<Target> {
  const { mergePatch, difference } = await load<typeof mergePatchModule>('bundled-hub/merge-patch.ts')
  const { patchFault, sizeFault } = await load<typeof twinRulesModule>('wire/twin-rules.ts')
  const { isJsonObject, parseJson } = await load<Parsing>('base/json.ts')
  return {
    name: 'merge-patch',
    dictionary: ['null', '"__proto__":', '"constructor":', '[null]', ',"b":{'],
    generate: (random) =>
      Buffer.from(`[${json(random, ['a', 'b', '__proto__'])},${json(random, ['a', 'b', '__proto__'])}]`),
    check: (input) => {
      const [from, to] = [parseJson(input.toString())].flat()
      if (!isJsonObject(from) || !isJsonObject(to) || patchFault('desired', to) || patchFault('desired', from)) return
      const merged = mergePatch({}, from)
      const wanted = mergePatch({}, to)
      const reached = mergePatch(merged, difference(merged, wanted))
      assert.deepEqual(sorted(reached), sorted(wanted), 'the difference leads from one to the other')
      assert.equal(sizeFault('desired', { a: 1 }), undefined)
      assert.equal(({} as Record<string, unknown>)['a'], undefined, 'no prototype was touched')
    },
  }
}

/** Members in one order, `__proto__` among them like any other. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, inner]) => [name, sorted(inner)])
}

async function twin(load: Load): Promise<Target> {
  const { twinChange } = await load<typeof twinRequestModule>('bundled-hub/twin-request.ts')
  const { HubRefusal } = await load<typeof hubRefusalModule>('bundled-hub/hub-refusal.ts')
  const { patchFault, sizeFault } = await load<typeof twinRulesModule>('wire/twin-rules.ts')
  const { isJsonObject, parseJson } = await load<Parsing>('base/json.ts')
  return {
    name: 'twin',
    dictionary: ['"tags":', '"properties":', '"desired":', '"reported":', '"$version":', '"$metadata":'],
    generate: (random) =>
      filled(random, {
        tags: () => JSON.parse(json(random, [], 3)) as Json,
        properties: () => ({ desired: JSON.parse(json(random, [], 3)) as Json, reported: { a: random.text(5000) } }),
      }),
    check: (input) => {
      const body = parseJson(input.toString())
      if (!isJsonObject(body)) return
      const change = orRefused([HubRefusal], () => twinChange(body))
      for (const part of ['tags', 'desired', 'reported'] as const) {
        const document = change?.[part]
        // The size is asked of what has passed the rules, as nothing else can be kept.
        if (document && !patchFault(part, document)) sizeFault(part, document)
      }
    },
  }
}
