import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { AddressDenied, demandPermittedHost, guardedLookup, type Allowed } from '../../base/guarded-lookup.ts'
import { parseJson } from '../../base/json.ts'
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

const longestAnswer = 128 * 1024
const addressDenied = 'the webhook address is not allowed'

/** Calls webhooks, on kept connections: no redirects, one retry if no answer came or the function failed. [service-wire §9.3] */
export function webhooks(rules: WebhookRules): ((webhookUrl: string) => Ask) & Disposable {
  const lookup = guardedLookup(rules.allowed)
  const ca = rules.ca.length > 0 ? { ca: [...rules.ca] } : {}
  const agents = {
    'http:': new HttpAgent({ keepAlive: true, maxSockets: 64, lookup }),
    'https:': new HttpsAgent({ keepAlive: true, maxSockets: 64, lookup, ...ca }),
  }

  const call = (url: URL, body: string, signal: AbortSignal): Promise<Answer> => {
    const protocol = url.protocol === 'http:' ? 'http:' : 'https:'
    const [request, agent] = protocol === 'http:' ? [httpRequest, agents[protocol]] : [httpsRequest, agents[protocol]]
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      accept: 'application/json',
    }
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method: 'POST', agent, headers, signal }, (incoming) =>
        read(incoming).then(resolve, reject),
      )
      outgoing.on('error', reject)
      outgoing.end(body)
    })
  }

  const webhook =
    (webhookUrl: string): Ask =>
    async (request) => {
      const url = new URL(webhookUrl)
      check(url, rules)
      const body = JSON.stringify(request)
      const signal = AbortSignal.timeout(rules.timeout)
      const first = await attempt(() => call(url, body, signal), signal)
      const answer = isWorthRetrying(first) ? await attempt(() => call(url, body, signal), signal) : first
      if (answer instanceof CustomFailure) throw answer
      const { status, text } = answer
      if (status < 200 || status > 299) throw new CustomFailure(`status code: ${status}`)
      const json = parseJson(text)
      if (json === undefined) throw new CustomFailure('the answer is not JSON')
      return json
    }
  return Object.assign(webhook, {
    [Symbol.dispose]: () => Object.values(agents).forEach((agent) => agent.destroy()),
  })
}

interface Answer {
  readonly status: number
  readonly text: string
}

function check(url: URL, { allowHttp, allowed }: WebhookRules): void {
  if (url.protocol !== 'https:' && !(allowHttp && url.protocol === 'http:')) {
    throw new CustomFailure(`the webhook is not ${allowHttp ? 'http or https' : 'https'}`)
  }
  try {
    demandPermittedHost(url.hostname, allowed)
  } catch (error) {
    if (error instanceof AddressDenied) throw new CustomFailure(addressDenied)
    throw error
  }
}

async function attempt(call: () => Promise<Answer>, signal: AbortSignal): Promise<Answer | CustomFailure> {
  try {
    return await call()
  } catch (error) {
    if (error instanceof CustomFailure) return error
    if (signal.aborted) return new CustomFailure('timeout')
    if (error instanceof AddressDenied) return new CustomFailure(addressDenied)
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
    return new NoAnswer(`no connection: ${code}`)
  }
}

/** The function may be well a moment later. */
class NoAnswer extends CustomFailure {}

function isWorthRetrying(answer: Answer | CustomFailure): boolean {
  return answer instanceof CustomFailure ? answer instanceof NoAnswer : answer.status >= 500
}

async function read(incoming: IncomingMessage): Promise<Answer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of incoming as AsyncIterable<Buffer>) {
    length += part.length
    if (length > longestAnswer) {
      incoming.destroy()
      throw new CustomFailure(`the answer is longer than ${longestAnswer} bytes`)
    }
    parts.push(part)
  }
  return { status: incoming.statusCode ?? 0, text: Buffer.concat(parts).toString('utf8') }
}
