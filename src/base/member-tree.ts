/** What a record may have: members by name, `any` where whatever is below is the operator's or device's own. */
export interface MemberTree {
  readonly [member: string]: MemberTree | 'value' | 'any'
}
