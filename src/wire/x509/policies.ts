import { isSelfIssued, type CertificateFields } from './certificate-fields.ts'

/** What RFC 5280 §6.1.1 lets a verifier ask for. */
export interface PolicyDemands {
  /** Dotted; `anyPolicy` where it does not matter which. */
  readonly acceptable: readonly string[]
  readonly requireExplicitPolicy: boolean
  readonly inhibitPolicyMapping: boolean
  readonly inhibitAnyPolicy: boolean
}

export const anyPolicy = '2.5.29.32.0'

/** Every policy will do, and none need be named unless a CA demands it. */
export const noDemands: PolicyDemands = {
  acceptable: [anyPolicy],
  requireExplicitPolicy: false,
  inhibitPolicyMapping: false,
  inhibitAnyPolicy: false,
}

/** A policy that is valid down to some certificate, and what the next one may call it. */
interface PolicyNode {
  readonly policy: string
  expected: ReadonlySet<string>
  readonly parents: readonly PolicyNode[]
}

type Level = Map<string, PolicyNode>

/**
 * Whether the policies of this path, the certificate below the anchor first and the leaf last, are valid: what is wrong, or
 * undefined. The anchor's own constraints count, its policies do not. It is RFC 5280 §6.1 with the graph of RFC 9618 in the place
 * of the tree, which certificates of a few kilobytes can make grow without bound.
 */
export function policyFlaw(
  path: readonly CertificateFields[],
  anchor: CertificateFields,
  demands: PolicyDemands = noDemands,
): string | undefined {
  const start = (inhibited: boolean) => (inhibited ? 0 : path.length + 1)
  const { policyConstraints, inhibitAnyPolicy = Infinity } = anchor.extensions
  let explicit = Math.min(start(demands.requireExplicitPolicy), policyConstraints?.requireExplicitPolicy ?? Infinity)
  let mapping = Math.min(start(demands.inhibitPolicyMapping), policyConstraints?.inhibitPolicyMapping ?? Infinity)
  let any = Math.min(start(demands.inhibitAnyPolicy), inhibitAnyPolicy)
  const root: PolicyNode = { policy: anyPolicy, expected: new Set([anyPolicy]), parents: [] }
  let level: Level = new Map([[anyPolicy, root]])

  for (const [index, certificate] of path.entries()) {
    const isLeaf = index === path.length - 1
    const { policies = [], policyMappings = [], ...constraints } = certificate.extensions
    level = nextLevel(level, policies, any > 0 || (!isLeaf && isSelfIssued(certificate)))
    if (explicit === 0 && level.size === 0) return 'a policy is required, and none is valid for the whole path'

    if (isLeaf) {
      if (explicit > 0) explicit--
      if (constraints.policyConstraints?.requireExplicitPolicy === 0) explicit = 0
      continue
    }
    if (policyMappings.flat().includes(anyPolicy)) return 'a CA maps the policy anyPolicy'
    applyMappings(level, policyMappings, mapping > 0)
    if (!isSelfIssued(certificate)) {
      explicit = Math.max(explicit - 1, 0)
      mapping = Math.max(mapping - 1, 0)
      any = Math.max(any - 1, 0)
    }
    explicit = Math.min(explicit, constraints.policyConstraints?.requireExplicitPolicy ?? Infinity)
    mapping = Math.min(mapping, constraints.policyConstraints?.inhibitPolicyMapping ?? Infinity)
    any = Math.min(any, constraints.inhibitAnyPolicy ?? Infinity)
  }
  if (explicit > 0 || isAcceptable(level, demands.acceptable)) return undefined
  return 'a policy is required, and none that is valid for the whole path is acceptable'
}

/** Whether any of this decides anything: without these, no path fails for its policies. */
export function hasPolicyRules({ extensions }: CertificateFields): boolean {
  return extensions.policyConstraints !== undefined || extensions.policyMappings !== undefined
}

/** [RFC 9618 §5.2 (d)] */
function nextLevel(above: Level, policies: readonly string[], anyCounts: boolean): Level {
  const byExpected = new Map<string, PolicyNode[]>()
  for (const node of above.values()) {
    for (const policy of node.expected) {
      const expecting = byExpected.get(policy)
      if (expecting) expecting.push(node)
      else byExpected.set(policy, [node])
    }
  }
  const level: Level = new Map()
  const add = (policy: string, parents: readonly PolicyNode[]) =>
    level.set(policy, { policy, expected: new Set([policy]), parents })
  const anyAbove = above.get(anyPolicy)
  for (const policy of policies) {
    if (policy === anyPolicy) continue
    const parents = byExpected.get(policy) ?? (anyAbove ? [anyAbove] : [])
    if (parents.length > 0) add(policy, parents)
  }
  if (anyCounts && policies.includes(anyPolicy)) {
    for (const [policy, parents] of byExpected) if (!level.has(policy)) add(policy, parents)
  }
  return level
}

/** [RFC 9618 §5.3 (b)] */
function applyMappings(
  level: Level,
  mappings: readonly (readonly [issuerPolicy: string, subjectPolicy: string])[],
  allowed: boolean,
): void {
  const mapped = new Map<string, Set<string>>()
  for (const [issuerPolicy, subjectPolicy] of mappings) {
    const subjects = mapped.get(issuerPolicy)
    if (subjects) subjects.add(subjectPolicy)
    else mapped.set(issuerPolicy, new Set([subjectPolicy]))
  }
  for (const [policy, expected] of mapped) {
    const node = level.get(policy)
    const any = level.get(anyPolicy)
    if (!allowed) level.delete(policy)
    else if (node) node.expected = expected
    else if (any) level.set(policy, { policy, expected, parents: any.parents })
  }
}

/** Whether one of the policies is valid under the name that it has at the anchor. [RFC 9618 §5.4 (g)] */
function isAcceptable(level: Level, acceptable: readonly string[]): boolean {
  if (level.size === 0) return false
  if (acceptable.includes(anyPolicy) || level.has(anyPolicy)) return true
  const seen = new Set<PolicyNode>(level.values())
  // Grows while it is walked: up to the anchor, each node once.
  for (const node of seen) {
    const isNamedFirst = node.policy !== anyPolicy && node.parents.some(({ policy }) => policy === anyPolicy)
    if (isNamedFirst && acceptable.includes(node.policy)) return true
    for (const parent of node.parents) seen.add(parent)
  }
  return false
}
