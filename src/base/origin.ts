/** Whom the connections of an address are counted for. */
export interface Origin {
  /** An IPv4 address, or the /64 that one holder of IPv6 addresses has at least. */
  readonly address: string
  /** The /24 around an IPv4 address, the /48 around an IPv6 one. */
  readonly network: string
}

/** The origin of a connection from this address, however it is spelled; a text that is no address is an origin of its own. */
export function originOf(remoteAddress: string): Origin {
  const plain = plainAddress(remoteAddress)
  if (plain.includes(':')) {
    const groups = firstGroups(plain)
    return { address: groups.slice(0, 4).join(':'), network: groups.slice(0, 3).join(':') }
  }
  return { address: plain, network: plain.slice(0, plain.lastIndexOf('.') + 1) }
}

/** Whether it is an address of this machine for itself. */
export function isLocal(remoteAddress: string): boolean {
  const plain = plainAddress(remoteAddress)
  return plain === '::1' || plain.startsWith('127.')
}

/** Without the name of an interface, and IPv4 as IPv4, also where an IPv6 socket took it. */
export function plainAddress(remoteAddress: string): string {
  return remoteAddress.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '')
}

/** The groups that come before what may differ within a network, without leading zeros. */
function firstGroups(address: string): string[] {
  const [before = '', after] = address.toLowerCase().split('::')
  const groups = before === '' ? [] : before.split(':')
  if (after !== undefined) {
    const last = after === '' ? [] : after.split(':')
    // An IPv4 address at the end takes the place of two groups.
    const missing = 8 - groups.length - last.length - (after.includes('.') ? 1 : 0)
    groups.push(...Array.from({ length: Math.max(missing, 0) }, () => '0'), ...last)
  }
  return groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''))
}
