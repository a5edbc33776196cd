import { lookup, type LookupAddress } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { networks } from './networks.ts'

/** Whether an address is in the networks that an operator allows. */
export type Allowed = (address: string) => boolean

/**
 * Everything that is not the public Internet: this machine, private networks, link-local ones with the clouds' metadata
 * services, what is reserved, and forms that carry an IPv4 address inside an IPv6 one. [IANA special-purpose registries]
 */
const inside = networks(
  `0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24
   192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 ::/96
   ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32 2002::/16 3fff::/20
   5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8`.split(/\s+/),
)

/** An address that may not be called because somebody else than the operator named it. */
export class AddressDenied extends Error {
  override readonly name = 'AddressDenied'
}

/** Whether this address may be called: a public one, or one in the networks that the operator allows. */
export function permits(address: string, allowed: Allowed): boolean {
  return isIP(address) !== 0 && (!inside(address) || allowed(address))
}

/** Throws AddressDenied if the host of a URL is written as an address that is not permitted: such is never looked up. */
export function demandPermittedHost(hostname: string, allowed: Allowed): void {
  const literal = hostname.replace(/^\[|\]$/g, '')
  if (isIP(literal) !== 0 && !permits(literal, allowed)) throw new AddressDenied(literal)
}

/**
 * Resolve as the system does, but only to addresses that are permitted; else the connection fails with AddressDenied. It is made to
 * what was checked, so that a name cannot change its mind in between.
 */
export function guardedLookup(allowed: Allowed): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error) return callback(error, '', 0)
      const denied = found.find(({ address }) => !permits(address, allowed))
      if (denied || !found[0]) return callback(new AddressDenied(`${hostname} is ${denied?.address}`), '', 0)
      if (options.all) callback(null, found)
      else callback(null, found[0].address, found[0].family)
    })
  }
}
