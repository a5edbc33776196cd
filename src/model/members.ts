import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { Refusal } from './refusal.ts'

/**
 * The members of a JSON object that somebody sent. `null` means absent, unknown members are not looked at, and whatever is
 * of the wrong type is refused with the member's path in the public message and in `info`. [service-wire §2.4, §3.9]
 */
export interface Members {
  readonly has: (name: string) => boolean
  readonly text: (name: string) => string | undefined
  readonly flag: (name: string) => boolean | undefined
  readonly number: (name: string) => number | undefined
  readonly object: (name: string) => Members | undefined
  readonly json: (name: string) => JsonObject | undefined
  readonly list: (name: string) => readonly Json[] | undefined
  /** One of these values, written in any letter case. */
  readonly oneOf: <T extends string>(name: string, values: readonly T[]) => T | undefined
  /** The refusal that blames this member; `''` blames the object itself. */
  readonly refusal: (name: string, said: string) => Refusal
}

/** Read an object's members; `path` is where it stands in the request. */
export function members(object: JsonObject, path = ''): Members {
  const pathOf = (name: string) => [path, name].filter(Boolean).join('.')
  const refusal = (name: string, said: string) => memberRefusal(pathOf(name), said)

  function read<T extends Json>(name: string, is: (value: Json) => value is T, kind: string): T | undefined {
    const value = object[name]
    if (value === undefined || value === null) return undefined
    if (!is(value)) throw refusal(name, `must be ${kind}`)
    return value
  }

  const text = (name: string) => read(name, isText, 'text')
  const json = (name: string) => read(name, isJsonObject, 'an object')
  return {
    has: (name) => object[name] !== undefined && object[name] !== null,
    text,
    flag: (name) => read(name, isFlag, 'true or false'),
    number: (name) => read(name, isNumber, 'a number'),
    object: (name) => {
      const value = json(name)
      return value && members(value, pathOf(name))
    },
    json,
    list: (name) => read(name, isList, 'an array'),
    oneOf: (name, values) => {
      const given = text(name)
      if (given === undefined) return undefined
      const found = values.find((value) => value.toLowerCase() === given.toLowerCase())
      if (found === undefined) throw refusal(name, `must be one of ${values.join(', ')}`)
      return found
    },
    refusal,
  }
}

/** The refusal of a request because of one of its members, named by its path. */
export function memberRefusal(member: string, said: string): Refusal {
  const sentence = member === '' ? `The request body ${said}.` : `${member} ${said}.`
  return new Refusal('MemberInvalid', sentence, { said: sentence, info: { member: member || 'body' } })
}

const isText = (value: Json): value is string => typeof value === 'string'
const isFlag = (value: Json): value is boolean => typeof value === 'boolean'
const isNumber = (value: Json): value is number => typeof value === 'number'
const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
