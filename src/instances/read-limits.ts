import { isJsonObject, type Json } from '../base/json.ts'
import { shown } from '../base/printable.ts'
import { presets, type Limits } from '../model/limits.ts'
import { Refusal } from '../model/refusal.ts'

const names = Object.keys(presets.azure) as (keyof Limits)[]
const largest = 1_000_000_000

/** The limits that a body gives an instance of its own: those of a preset, and single limits by their names over them. */
export function readLimits(body: Json | undefined): Partial<Limits> {
  if (!isJsonObject(body)) throw new Refusal('BodyMalformed', 'the body must be an object')
  const { preset, ...own } = body
  if (preset !== undefined && preset !== 'azure' && preset !== 'generous') {
    throw new Refusal('MemberInvalid', 'preset must be azure or generous')
  }
  const limits: { -readonly [name in keyof Limits]?: number } = preset === undefined ? {} : { ...presets[preset] }
  for (const [name, value] of Object.entries(own)) {
    const limit = names.find((known) => known === name)
    if (!limit) throw new Refusal('MemberInvalid', `${shown(name, 100)} is no limit; there are ${names.join(', ')}`)
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > largest) {
      throw new Refusal('MemberInvalid', `${limit} must be a whole number from 1 to ${largest}`)
    }
    limits[limit] = value
  }
  return limits
}
