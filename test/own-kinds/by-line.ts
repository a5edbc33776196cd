import type { AllocationOffer } from '../../src/main/offers.ts'

const member = 'lineDefinition'

/** Each production line has its hub, in the order of the permitted ones: `{"lineDefinition": {"line": "2"}}`. */
export const byLine: AllocationOffer = () => ({
  name: 'byLine',
  automatic: true,
  external: false,
  definition: {
    member,
    read: (definition) => {
      const line = definition.text('line')
      if (line && /^\d{1,3}$/.test(line)) return { line }
      throw definition.refusal('line', 'must be the number of a line')
    },
    write: (definition) => ({ ...definition }),
    queried: { line: 'value' },
  },
  choose: async ({ enrollment }, candidates) => {
    const line = Number(enrollment.definitions?.[member]?.['line'])
    return { hub: candidates[line % candidates.length]!, because: `line ${line}`, repeatable: true }
  },
})
