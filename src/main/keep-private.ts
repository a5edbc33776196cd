import { chmodSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Files of ours that others must not read: what lies in the folder beside these is the operator's. */
const ours = /^(?:(?:hubward|hub|in-use)\.db|(?:ca|server|server-rsa)-key\.pem|connection\.env|audit\.log)/
/** What shows that the folder is ours, and not one of the operator's that we were told to use. */
const sign = 'hubward.db'
const others = 0o077
const sticky = 0o1000

/**
 * Take the data folder (mode 0700) and the files in it that hold secrets (0600) from everybody but their owner; what cannot be
 * taken is said, a sentence each. A folder that is used for other things too is left as it is.
 */
export function keepPrivate(folder: string): string[] {
  const names = readdirSync(folder)
  const files = names.filter((name) => ours.test(name)).flatMap((name) => taken(join(folder, name), 0o600))
  const isOurs = names.includes(sign) || names.every((name) => ours.test(name))
  if (isOurs && (statSync(folder).mode & sticky) === 0) return [...taken(folder, 0o700), ...files]
  const open = openTo(folder)
  return open === undefined
    ? files
    : [`the data folder ${folder} ${open}, and is used for other things too: give Hubward one of its own`, ...files]
}

function taken(path: string, mode: number): string[] {
  const open = openTo(path)
  if (open === undefined) return []
  try {
    chmodSync(path, mode)
    return []
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return [
      `${path} ${open}, and this process may not change that (${code}): let its owner do "chmod ${mode.toString(8)}"`,
    ]
  }
}

/** To whom else than its owner; undefined if to nobody. */
function openTo(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false })
  if (!found || (found.mode & others) === 0) return undefined
  const { mode, uid, gid } = found
  const whom = [(mode & 0o070) !== 0 ? `group ${gid}` : undefined, (mode & 0o007) !== 0 ? 'everybody' : undefined]
  const shown = (mode & 0o777).toString(8).padStart(4, '0')
  return `is open to ${whom.filter((who) => who !== undefined).join(' and ')} (mode ${shown}, owner ${uid})`
}
