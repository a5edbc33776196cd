import { AddressDenied, type Allowed } from '../../base/guarded-lookup.ts'
import { parseJson } from '../../base/json.ts'
import { codeOf } from '../../base/error-code.ts'
import { AnswerTooLong, outgoing, trusting, type OutgoingAnswer } from '../../base/outgoing.ts'
import { CustomFailure, type Ask } from '../custom.ts'

/** What a deployment decides about webhooks. */
export interface WebhookRules {
  /** Milliseconds for a call, its second attempt included. */
  readonly timeout: number
  readonly allowHttp: boolean
  /** Addresses inside the operator's own networks that may be called all the same. */
  readonly allowed: Allowed
  /** PEM; trusted beside the system's roots. */
  readonly ca: readonly string[]
}

const longest = 128 * 1024
const connections = 64
const headers = { 'content-type': 'application/json; charset=utf-8', accept: 'application/json' }

/** Calls webhooks, on kept connections: no redirects, one retry if no answer came or the function failed. [service-wire §9.3] */
export function webhooks(rules: WebhookRules): ((webhookUrl: string) => Ask) & Disposable {
  const { allowed, ca, timeout } = rules
  const call = outgoing({ allowed, tls: trusting(ca), connections })
  const webhook =
    (webhookUrl: string): Ask =>
    async (request) => {
      const url = new URL(webhookUrl)
      check(url, rules)
      const body = JSON.stringify(request)
      const signal = AbortSignal.timeout(timeout)
      const ask = () => attempt(() => call(url, { method: 'POST', headers, body, signal, longest }), signal)
      const first = await ask()
      const answer = isWorthRetrying(first) ? await ask() : first
      if (answer instanceof CustomFailure) throw answer
      const { status } = answer
      if (status < 200 || status > 299) throw new CustomFailure(`status code: ${status}`)
      const json = parseJson(answer.body.toString('utf8'))
      if (json === undefined) throw new CustomFailure('the answer is not JSON')
      return json
    }
  return Object.assign(webhook, {
    [Symbol.dispose]: call[Symbol.dispose],
  })
}

function check(url: URL, { allowHttp }: WebhookRules): void {
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    throw new CustomFailure(`the webhook is not ${allowHttp ? 'http or https' : 'https'}`)
  }
}

async function attempt(
  call: () => Promise<OutgoingAnswer>,
  signal: AbortSignal,
): Promise<OutgoingAnswer | CustomFailure> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof AnswerTooLong) return new CustomFailure(error.message)
    if (signal.aborted) return new CustomFailure('timeout')
    if (error instanceof AddressDenied) return new CustomFailure('the webhook address is not allowed')
    return new NoAnswer(`no connection: ${codeOf(error) ?? 'no answer'}`)
  }
}

/** The function may be well a moment later. */
class NoAnswer extends CustomFailure {}

function isWorthRetrying(answer: OutgoingAnswer | CustomFailure): boolean {
  return answer instanceof CustomFailure ? answer instanceof NoAnswer : answer.status >= 500
}
