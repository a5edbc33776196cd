import type { MemberTree } from '../../base/member-tree.ts'
import type { Path } from './syntax.ts'

/** The path as the records spell it, whatever the letter case; undefined if no record of the collection can have it. */
export function knownPath(path: Path, members: MemberTree): Path | undefined {
  const spelled: string[] = []
  let here: MemberTree | 'value' | 'any' = members
  for (const [at, name] of path.entries()) {
    if (here === 'any') return [...spelled, ...path.slice(at)]
    if (here === 'value') return undefined
    const known: string | undefined = Object.keys(here).find((member) => member.toLowerCase() === name.toLowerCase())
    if (known === undefined) return undefined
    spelled.push(known)
    here = here[known]!
  }
  return spelled
}
