import { createHash } from 'node:crypto'
import type { IdScope } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import { sameBytes } from '../base/secret.ts'
import { deploymentKey } from '../store/deployment-key.ts'
import type { Store } from '../store/store.ts'
import { parseJson } from '../base/json.ts'

/** What a continuation is good for: the same question to the same collection of the same instance. */
export interface Question {
  readonly idScope: IdScope
  readonly collection: string
  readonly query: string
}

const keyName = 'service-continuation'
const longest = 2048

/** A token that leads to the records after this key, for the same question only; opaque and signed. [service-wire §6] */
export async function writeContinuation(question: Question, after: string, store: Store): Promise<string> {
  const payload = Buffer.from(JSON.stringify([...fingerprint(question), after]))
  const signature = (await deploymentKey(store, keyName)).hmac(payload)
  return `${payload.toString('base64url')}.${signature.toString('base64url')}`
}

/** The key after which the question goes on; refuses a token that was not made for this question. */
export async function readContinuation(question: Question, continuation: string, store: Store): Promise<string> {
  const invalid = (detail: string) => new Refusal('ContinuationInvalid', detail)
  const [payload, signature] = continuation.split('.', 2).map((part) => Buffer.from(part, 'base64url'))
  if (!payload || !signature || continuation.length > longest) throw invalid('not a continuation')
  if (!sameBytes((await deploymentKey(store, keyName)).hmac(payload), signature)) throw invalid('not signed here')
  const fields = parseJson(payload.toString())
  const [...of] = Array.isArray(fields) ? fields : []
  const after = of.pop()
  if (JSON.stringify(of) !== JSON.stringify(fingerprint(question)) || typeof after !== 'string') {
    throw invalid('made for another query')
  }
  return after
}

function fingerprint({ idScope, collection, query }: Question): string[] {
  return [idScope, collection, createHash('sha256').update(query).digest('base64url')]
}
