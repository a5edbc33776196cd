import type { Credential } from '../attestation/attestation.ts'
import { Refusal } from '../model/refusal.ts'
import type { DeviceRequest } from '../registration/admit.ts'
import type { Attempt } from '../registration/trail.ts'
import { header, type HttpApi, type HttpRequest, type HttpResponse } from '../wire/http.ts'
import { largestRequest, newTrackingId, refused, whenAnswerable, type DeviceTransport } from './device-transport.ts'
import { challengeJson, operationJson, readRegisterBody, registrationJson, type RegisterBody } from './device-json.ts'
import { shown } from '../base/printable.ts'

/** The device endpoint over HTTPS. [device-wire §2] */
export function deviceHttps(transport: DeviceTransport): HttpApi {
  return {
    owns: () => true,
    largestBody: largestRequest,
    handle: async (request) => {
      const trackingId = newTrackingId()
      const received = transport.monotonic()
      try {
        return respond(trackingId, await dispatch(request, trackingId, transport))
      } catch (error) {
        await whenAnswerable(received, transport)
        const { status, json, errorCode, retryAfter } = refused(error, attemptOf(request, trackingId), transport)
        return respond(trackingId, { status, json, retryAfter, headers: { 'x-ms-error-code': String(errorCode) } })
      }
    },
  }
}

interface Answer {
  readonly status: number
  readonly json: string
  readonly retryAfter?: number | undefined
  readonly headers?: Readonly<Record<string, string>>
}

async function dispatch(request: HttpRequest, trackingId: string, transport: DeviceTransport): Promise<Answer> {
  const [idScope = '', collection, registrationId = '', action, operationId = '', ...more] = segments(request.path)
  if (collection?.toLowerCase() !== 'registrations' || more.length > 0) {
    throw new Refusal('PathUnknown', `${request.method} ${shown(request.path)}`)
  }
  const resource = action?.toLowerCase()
  const body = resource === 'operations' ? {} : await readBody(request, transport)
  const device: DeviceRequest = {
    idScope,
    registrationId,
    apiVersion: request.query.get('api-version') ?? undefined,
    credential: credentialOf(request, body),
    bodyRegistrationId: body.registrationId,
    payload: body.payload,
    protocol: 'Http',
    userAgent: userAgentOf(request),
    remoteAddress: request.peer.remoteAddress,
    standing: request.peer.standing,
    trackingId,
  }
  switch (resource) {
    case 'register':
      demandMethod(request, 'PUT', operationId === '')
      return register(device, request, transport)
    case 'operations':
      demandMethod(request, 'GET', operationId !== '')
      return poll(device, operationId, transport)
    case undefined:
      demandMethod(request, 'POST', true)
      return lookup(device, transport)
    default:
      throw new Refusal('PathUnknown', `${request.method} ${shown(request.path)}`)
  }
}

/** What can be said of a request that was refused before it was read. */
function attemptOf(request: HttpRequest, trackingId: string): Attempt {
  const [idScope = '', , registrationId = ''] = request.path.split('/').slice(1)
  return {
    trackingId,
    idScope,
    registrationId: unescaped(registrationId),
    protocol: 'Http',
    userAgent: userAgentOf(request),
    remoteAddress: request.peer.remoteAddress,
    standing: request.peer.standing,
    credential: credentialOf(request, {}),
  }
}

/** The C SDK writes the header without a hyphen. */
function userAgentOf(request: HttpRequest): string {
  return header(request, 'user-agent') ?? header(request, 'useragent') ?? ''
}

/** Whatever calls itself JSON, or nothing, is taken at its word. [device-wire §1.6] */
async function readBody(request: HttpRequest, { kinds }: DeviceTransport): Promise<RegisterBody> {
  const body = await request.body()
  if (body === 'overlong') throw new Refusal('BodyTooLarge', `the body is longer than ${largestRequest} bytes`)
  if (body === 'aborted') throw new Refusal('BodyMalformed', 'the body did not come to its end')
  const type = header(request, 'content-type')
  if (body.length > 0 && type !== undefined && !/json/i.test(type)) {
    throw new Refusal('MediaTypeUnsupported', 'the content type is not JSON')
  }
  return readRegisterBody(body, kinds)
}

/** Always 202, also when the outcome is known: C# throws on anything else. [device-wire §0.1] */
async function register(device: DeviceRequest, request: HttpRequest, transport: DeviceTransport): Promise<Answer> {
  const answer = await transport.registrar.register(device)
  if ('challenge' in answer) return { status: 401, json: challengeJson(answer.challenge) }
  const location = `https://${header(request, 'host') ?? 'localhost'}${request.path}`
  return {
    status: 202,
    json: operationJson(answer.operation, readerOf(device, transport)),
    // The final state needs no second look, but C# takes its polling interval from here.
    retryAfter: answer.operation.retryAfter ?? transport.retryAfter,
    headers: { Location: location },
  }
}

async function poll(device: DeviceRequest, operationId: string, transport: DeviceTransport): Promise<Answer> {
  const operation = await transport.registrar.status(device, operationId)
  const json = operationJson(operation, readerOf(device, transport))
  return operation.status === 'assigning'
    ? { status: 202, json, retryAfter: operation.retryAfter ?? transport.retryAfter }
    : { status: 200, json }
}

async function lookup(device: DeviceRequest, transport: DeviceTransport): Promise<Answer> {
  return { status: 200, json: registrationJson(await transport.registrar.lookup(device), readerOf(device, transport)) }
}

/** A token decides before a certificate, and both before what is only said, such as a TPM's request for its challenge. [device-wire §2.5] */
function credentialOf(request: HttpRequest, { claim }: RegisterBody): Credential {
  const token = header(request, 'authorization')
  if (token) return { kind: 'token', token, claim }
  const chain = request.peer.certificateChain
  if (chain.length > 0) return { kind: 'certificate', chain }
  return claim ? { kind: 'claim', claim } : { kind: 'none' }
}

function readerOf({ registrationId, apiVersion }: DeviceRequest, { kinds }: DeviceTransport) {
  return { registrationId, apiVersion: apiVersion ?? '', kinds }
}

function segments(path: string): string[] {
  return path.split('/').slice(1).map(decode)
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw new Refusal('PathUnknown', 'the path is not percent-encoded properly')
  }
}

function unescaped(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

function demandMethod({ method, path }: HttpRequest, expected: string, pathIsRight: boolean): void {
  if (!pathIsRight) throw new Refusal('PathUnknown', `${method} ${shown(path)}`)
  if (method !== expected) throw new Refusal('MethodNotAllowed', `expected ${expected}, found ${method}`)
}

/** No redirect, no compression, and Content-Type with `application/json`, or Node does not parse. [device-wire §0.5, §2.3] */
function respond(trackingId: string, { status, json, retryAfter, headers }: Answer): HttpResponse {
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      ...(retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) }),
      'x-ms-request-id': trackingId,
      'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
      ...headers,
    },
    body: json,
  }
}
