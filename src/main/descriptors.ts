/** How many files this process may have open; undefined where there is no such limit, or none that can be read. */
export function descriptorLimit(): number | undefined {
  if (!process.report) return undefined
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }
  const soft = Number(userLimits?.open_files?.soft)
  return Number.isInteger(soft) ? soft : undefined
}

/** What the connections of each listener may have of the files. */
export interface Shares {
  /** To the device ports, from anywhere. */
  readonly devices: number
  /** Beside them, from this machine. */
  readonly local: number
  readonly management: number
}

const [leastKept, mostKept] = [96, 512]
const local = 16
/** With fewer nobody could be served: then the files are not enough, and the start says so. */
const fewest = 8

/**
 * Share out the files that the process may have open. Some are kept for what the service needs itself whoever is at the door: its
 * databases, calls to hubs and webhooks, the log. `wanted` is what is to be had where there are enough.
 */
export function shareDescriptors(limit: number | undefined, wanted: Omit<Shares, 'local'>): Shares {
  if (limit === undefined) return { ...wanted, local }
  const kept = Math.min(Math.max(Math.floor(limit / 4), leastKept), mostKept)
  const management = Math.min(wanted.management, Math.max(Math.floor(limit / 16), fewest))
  const devices = Math.max(Math.min(wanted.devices, limit - kept - management - local), fewest)
  return { devices, local, management }
}
