import { createHash, randomBytes } from 'node:crypto'
import type { IdScope } from '../model/identifiers.ts'
import { parseJson } from '../model/json.ts'
import { Refusal } from '../model/refusal.ts'
import { sameBytes, Secret } from '../model/secret.ts'
import { Conflict, type Store } from '../store/store.ts'

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
  const signature = (await deploymentKey(store)).hmac(payload)
  return `${payload.toString('base64url')}.${signature.toString('base64url')}`
}

/** The key after which the question goes on; refuses a token that was not made for this question. */
export async function readContinuation(question: Question, continuation: string, store: Store): Promise<string> {
  const invalid = (detail: string) => new Refusal('ContinuationInvalid', detail)
  const [payload, signature] = continuation.split('.', 2).map((part) => Buffer.from(part, 'base64url'))
  if (!payload || !signature || continuation.length > longest) throw invalid('not a continuation')
  if (!sameBytes((await deploymentKey(store)).hmac(payload), signature)) throw invalid('not signed here')
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

/** Kept in the store, so that every node and every restart knows the same one. */
async function deploymentKey(store: Store): Promise<Secret> {
  for (;;) {
    const known = await store.keys.get(keyName)
    if (known) return known
    const created = new Secret(randomBytes(32))
    try {
      await store.transact((write) => write.keys.create(keyName, created))
      return created
    } catch (error) {
      if (!(error instanceof Conflict)) throw error
    }
  }
}
