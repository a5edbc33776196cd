import type { Duplex } from 'node:stream'

/** Milliseconds in which a client that does not like our certificate is gone. Later it is cut by us, which is told elsewhere. */
const soon = 2000

/** Notices clients that leave early, and in silence. */
export interface Wordless {
  /** `one` came by this stream; `left` is called once if the stream closes soon, and nothing was heard of it until then. */
  readonly came: (one: object, stream: Duplex, left: () => void) => void
  readonly heard: (one: object) => void
}

export function wordless(): Wordless {
  const silent = new WeakSet()
  return {
    came: (one, stream, left) => {
      const since = performance.now()
      silent.add(one)
      stream.once('close', () => silent.has(one) && performance.now() - since < soon && left())
    },
    heard: (one) => void silent.delete(one),
  }
}
