import type { HttpResponse } from '../wire/http.ts'

/** What an API of ours answers: JSON as text, or nothing. */
export interface HttpAnswer {
  readonly status: number
  readonly json?: string | undefined
  /** Seconds. */
  readonly retryAfter?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The response, with the headers that all our APIs send. No redirect, no compression, and Content-Type with `application/json`, or Node does not parse. [device-wire §0.5, §2.3] */
export function respond({ status, json, retryAfter, headers }: HttpAnswer, trackingId: string): HttpResponse {
  return {
    status,
    headers: {
      ...(json !== undefined && { 'Content-Type': 'application/json; charset=utf-8' }),
      ...(retryAfter !== undefined && { 'Retry-After': String(Math.ceil(retryAfter)) }),
      'x-ms-request-id': trackingId,
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
      ...headers,
    },
    ...(json !== undefined && { body: json }),
  }
}
