/** What can be cut. */
interface Cut {
  readonly destroy: () => unknown
}

/** Runs an event's listener for one connection: what it throws is told, and cuts that connection and nothing else. */
export type Guard = (connection: Cut, listener: () => void) => void

/** A guard that tells faults here. Without it, what a listener throws would end the process with every connection in it. */
export function guardOf(onFault: (fault: unknown) => void): Guard {
  return (connection, listener) => {
    try {
      listener()
    } catch (fault) {
      onFault(fault)
      connection.destroy()
    }
  }
}
