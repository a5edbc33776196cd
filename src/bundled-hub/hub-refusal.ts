import { randomUUID } from 'node:crypto'
import { Unwritable } from '../sqlite/unwritable.ts'
import type { HttpResponse } from '../wire/http.ts'

/** What an IoT Hub refuses with: HTTP status and error code by the name its clients look for. [service-wire §12.2] */
const refusals = {
  InvalidProtocolVersion: [400, 400001],
  ArgumentInvalid: [400, 400004],
  IotHubFormatError: [400, 400006],
  IotHubNotFound: [401, 401001],
  IotHubUnauthorizedAccess: [401, 401002],
  DeviceMaximumQueueDepthExceeded: [403, 403004],
  JobQuotaExceeded: [403, 403000],
  NotFound: [404, 404000],
  DeviceNotFound: [404, 404001],
  JobNotFound: [404, 404000],
  ModuleNotFound: [404, 404010],
  DeviceNotOnline: [404, 404103],
  MethodNotAllowed: [405, 405000],
  DeviceAlreadyExists: [409, 409001],
  JobAlreadyExists: [409, 409000],
  ModuleAlreadyExistsOnDevice: [409, 409301],
  PreconditionFailed: [412, 412001],
  DeviceMessageLockLost: [412, 412002],
  MessageTooLarge: [413, 413001],
  ServerError: [500, 500001],
  NotImplemented: [501, 501000],
  ServiceUnavailable: [503, 503001],
  GatewayTimeout: [504, 504101],
} as const

export type RefusalName = keyof typeof refusals

/** Thrown on purpose: the hub says no. The message is for the caller to read; it never holds a key or token. */
export class HubRefusal extends Error {
  override readonly name = 'HubRefusal'
  readonly refusal: RefusalName

  constructor(refusal: RefusalName, message: string) {
    super(message)
    this.refusal = refusal
  }

  get status(): number {
    return refusals[this.refusal][0]
  }

  /** The number in twin error bodies and bulk results, such as 404001. */
  get code(): number {
    return refusals[this.refusal][1]
  }
}

/** What is thrown where nothing can be written, as a refusal; anything else as it is. Who watches the database has told of it. */
export function asRefusal(thrown: unknown): unknown {
  return thrown instanceof Unwritable ? new HubRefusal('ServiceUnavailable', 'nothing can be written now') : thrown
}

/** How a refusal is spelled on HTTP. [service-wire §12.2] */
export function refusalResponse({ refusal, status, code, message }: HubRefusal, now: number): HttpResponse {
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'iothub-errorcode': refusal,
      ...(status === 429 || status === 503 ? { 'Retry-After': '1' } : {}),
    },
    body: JSON.stringify({
      // A direct method's caller looks for the number. [service-wire §13.4]
      Message: code === 404103 || code === 504101 ? methodMessage(code, message) : `ErrorCode:${refusal};${message}`,
      ExceptionMessage: `Tracking ID:${randomUUID()}-TimeStamp:${new Date(now).toISOString()}`,
    }),
  }
}

function methodMessage(errorCode: number, message: string): string {
  return JSON.stringify({ errorCode, message })
}

/** How a refusal is spelled in an answer to a twin request over MQTT: Node looks at `errorCode` alone. [service-wire §13.2] */
export function refusalBody({ code, message }: HubRefusal, now: number): string {
  return JSON.stringify({
    errorCode: code,
    trackingId: randomUUID(),
    message,
    timestampUtc: new Date(now).toISOString(),
  })
}
