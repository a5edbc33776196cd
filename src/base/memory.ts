/** What is held in memory for one connection, as counted by whoever holds it. */
export interface Account {
  /** Count so many bytes more, or fewer where they are negative. Where that is too many, this connection or another is cut. */
  readonly count: (bytes: number) => void
}

/** An account that is bound by nothing. */
export const uncounted: Account = { count: () => {} }

/** Bytes that anything costs for being kept at all: objects, their places in lists, what the allocator adds. */
export const perUnit = 256

/** What all connections together may hold in memory. */
export interface MemoryBudget {
  /** An account for a connection that `cut` ends; what it holds when it is closed is held no longer. */
  readonly open: (cut: () => void) => Account & { readonly close: () => void }
  /** In bytes. */
  readonly held: () => number
  /** Connections that were cut, since the start. */
  readonly cuts: () => { readonly total: number; readonly each: number }
}

/** Which bound was met. */
export type MemoryBound = 'total' | 'each'

/**
 * A connection that holds more than `each` bytes is cut. Where all together hold more than `total`, the one that holds most is:
 * whoever hoards makes room, not whoever comes next.
 *
 * @param onCut told after each cut
 */
export function memoryBudget(
  { total, each }: { readonly total: number; readonly each: number },
  onCut: (bound: MemoryBound) => void = () => {},
): MemoryBudget {
  interface Held {
    bytes: number
    readonly cut: () => void
  }
  const open = new Set<Held>()
  const cuts = { total: 0, each: 0 }
  let sum = 0

  function close(held: Held): void {
    if (open.delete(held)) sum -= held.bytes
  }

  function cut(held: Held, bound: MemoryBound): void {
    close(held)
    cuts[bound]++
    held.cut()
    onCut(bound)
  }

  /** The one that must make room, if one must. */
  function hoarder(): Held | undefined {
    if (sum <= total) return undefined
    let most: Held | undefined
    for (const held of open) if (!most || held.bytes > most.bytes) most = held
    return most
  }

  return {
    open: (cutIt) => {
      const held: Held = { bytes: 0, cut: cutIt }
      open.add(held)
      return {
        count: (bytes) => {
          if (!open.has(held)) return
          held.bytes += bytes
          sum += bytes
          if (bytes <= 0) return
          if (held.bytes > each) return cut(held, 'each')
          for (let most = hoarder(); most; most = hoarder()) cut(most, 'total')
        },
        close: () => close(held),
      }
    },
    held: () => sum,
    cuts: () => ({ ...cuts }),
  }
}
