import { shares, type Decision, type DecisionShare } from '../model/decision.ts'
import type { Shared } from './share.ts'

/** Records that wait to be written. Each share has its own bytes, so that a flood of one takes no place from another. */
export interface DecisionQueue {
  /** False if its share is full. */
  readonly add: (shared: Shared) => boolean
  /** The next ones in turn, of every share that has any. */
  readonly take: (most: number) => readonly Shared[]
  /** What was taken and could not be written yet; it goes before the others. */
  readonly putBack: (records: readonly Shared[]) => void
  readonly isEmpty: () => boolean
}

const mib = 1 << 20
const mostBytes: Readonly<Record<DecisionShare, number>> = { accepted: 32 * mib, known: 16 * mib, stranger: 16 * mib }
/** What a record costs beside its texts. */
const overhead = 1000
const findingOverhead = 200

export function decisionQueue(): DecisionQueue {
  const waiting = { accepted: [] as Shared[], known: [] as Shared[], stranger: [] as Shared[] }
  const bytes = { accepted: 0, known: 0, stranger: 0 }

  function takeFrom(share: DecisionShare, most: number): readonly Shared[] {
    const taken = waiting[share].splice(0, most)
    for (const { decision } of taken) bytes[share] -= bytesOf(decision)
    return taken
  }

  return {
    add: (shared) => {
      const { share, decision } = shared
      const size = bytesOf(decision)
      if (bytes[share] + size > mostBytes[share]) return false
      bytes[share] += size
      waiting[share].push(shared)
      return true
    },
    take: (most) => {
      // A third for each; what one does not need is for the others.
      const fair = shares.flatMap((share) => takeFrom(share, Math.floor(most / shares.length)))
      return shares.reduce((taken, share) => [...taken, ...takeFrom(share, most - taken.length)], fair)
    },
    putBack: (records) => {
      for (const shared of records.toReversed()) {
        bytes[shared.share] += bytesOf(shared.decision)
        waiting[shared.share].unshift(shared)
      }
    },
    isEmpty: () => shares.every((share) => waiting[share].length === 0),
  }
}

/** About what the record takes in memory. */
function bytesOf({ findings, ...decision }: Decision): number {
  return (
    overhead + textBytes(decision) + findings.reduce((sum, finding) => sum + findingOverhead + textBytes(finding), 0)
  )
}

function textBytes(members: object): number {
  let sum = 0
  for (const value of Object.values(members)) if (typeof value === 'string') sum += 2 * value.length
  return sum
}
