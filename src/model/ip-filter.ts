import { BlockList, isIP } from 'node:net'

/** Which of an instance's endpoints a rule is about. [service-wire §1.6] */
export type IpFilterTarget = 'all' | 'serviceApi' | 'deviceApi'

/** Lets addresses in or keeps them out. Rules are asked in their order, and the first that matches decides. [service-wire §1.6] */
export interface IpFilterRule {
  readonly filterName: string
  readonly action: 'Accept' | 'Reject'
  /** An IPv4 or IPv6 address, alone or with a prefix length. */
  readonly ipMask: string
  readonly target: IpFilterTarget
}

/** What an instance says about the addresses it may be reached from. */
export interface NetworkRules {
  readonly ipFilterRules?: readonly IpFilterRule[]
  /** `Disabled`: only loopback, private and link-local addresses reach the instance. */
  readonly publicNetworkAccess?: 'Enabled' | 'Disabled'
}

/** True if the text is an address, or an address and a prefix length. */
export function isIpMask(text: string): boolean {
  return parseMask(text) !== undefined
}

/** Whether an instance lets this address reach one of its endpoints; what no rule matches is let in. [service-wire §1.6] */
export function admitsAddress(
  { ipFilterRules = [], publicNetworkAccess }: NetworkRules,
  remoteAddress: string,
  endpoint: Exclude<IpFilterTarget, 'all'>,
): boolean {
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  if (publicNetworkAccess === 'Disabled' && !privateAddresses().check(address, family)) return false
  const rule = ipFilterRules.find(
    (candidate) =>
      (candidate.target === 'all' || candidate.target === endpoint) && listOf(candidate).check(address, family),
  )
  return rule?.action !== 'Reject'
}

const lists = new WeakMap<IpFilterRule, BlockList>()

/** Parsed once for each rule; the store remembers the rules of an instance. */
function listOf(rule: IpFilterRule): BlockList {
  let list = lists.get(rule)
  if (!list) {
    list = new BlockList()
    add(list, rule.ipMask)
    lists.set(rule, list)
  }
  return list
}

let known: BlockList | undefined

function privateAddresses(): BlockList {
  if (known) return known
  known = new BlockList()
  for (const mask of privateMasks) add(known, mask)
  return known
}

const privateMasks = [
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]

function add(list: BlockList, ipMask: string): void {
  const mask = parseMask(ipMask)
  if (mask) list.addSubnet(mask.address, mask.prefix, mask.family)
}

function parseMask(text: string): { address: string; prefix: number; family: 'ipv4' | 'ipv6' } | undefined {
  const [, address = '', length] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  if (version === 0) return undefined
  const longest = version === 6 ? 128 : 32
  const prefix = length === undefined ? longest : Number(length)
  return prefix <= longest ? { address, prefix, family: version === 6 ? 'ipv6' : 'ipv4' } : undefined
}
