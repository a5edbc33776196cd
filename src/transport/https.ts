import type { Credential } from '../attestation/attestation.ts'
import { Refusal } from '../model/refusal.ts'
import type { DeviceRequest } from '../registration/admit.ts'
import type { Attempt } from '../registration/trail.ts'
import { header, type HttpApi, type HttpRequest } from '../wire/http.ts'
import { httpApi, type Arrived } from '../wire/http/api.ts'
import { routerOf, type HttpRoute } from '../wire/http/router.ts'
import { largestRequest, refused, whenAnswerable, type DeviceTransport } from './device-transport.ts'
import { challengeJson, operationJson, readRegisterBody, registrationJson, type RegisterBody } from './device-json.ts'
import { respond, type HttpAnswer } from './http-answer.ts'
import { requestRefusal, statusOf } from './request-refusal.ts'

/** One thing that a device can ask for over HTTPS. */
interface Route extends HttpRoute {
  readonly body: boolean
  readonly run: (device: DeviceRequest, call: Arrived<Route>, transport: DeviceTransport) => Promise<HttpAnswer>
}

const registration = '/:scope/registrations/:registration'
const router = routerOf<Route>(
  [
    { method: 'PUT', path: `${registration}/register`, body: true, run: register },
    { method: 'PUT', path: `${registration}/register/`, body: true, run: register },
    { method: 'GET', path: `${registration}/operations/:operation`, body: false, run: poll },
    { method: 'POST', path: registration, body: true, run: lookup },
  ],
  // Registration says better than a path what is wrong with an ID that is empty.
  { emptyParameters: true, idleSlashes: 'none' },
)

/** The device endpoint over HTTPS. [device-wire §2] */
export function deviceHttps(transport: DeviceTransport): HttpApi {
  return httpApi<Route, undefined, undefined, HttpAnswer>(
    {
      router,
      largestBody: largestRequest,
      bodies: 'raw',
      refusal: (why, request) => requestRefusal(why, request, largestRequest),
      // The registrar asks for the proof: it depends on the enrollment.
      authenticate: () => undefined,
      authorize: () => undefined,
      run: async (call) => call.route.run(await deviceOf(call, transport), call, transport),
      success: respond,
      failure: async (thrown, { request, trackingId, receivedAt }) => {
        await whenAnswerable(receivedAt, transport)
        const { errorCode, ...error } = refused(thrown, attemptOf(request, trackingId), transport)
        return respond({ ...error, headers: { 'x-ms-error-code': String(errorCode) } }, trackingId)
      },
      statusOf,
    },
    transport,
  )
}

async function deviceOf(
  { route, request, parameters, trackingId }: Arrived<Route>,
  transport: DeviceTransport,
): Promise<DeviceRequest> {
  const { scope = '', registration: registrationId = '' } = parameters
  const body = route.body ? await readBody(request, transport) : {}
  return {
    idScope: scope,
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
  if (typeof body === 'string') throw requestRefusal(body, request, largestRequest)
  const type = header(request, 'content-type')
  if (body.length > 0 && type !== undefined && !/json/i.test(type)) {
    throw new Refusal('MediaTypeUnsupported', 'the content type is not JSON')
  }
  return readRegisterBody(body, kinds)
}

/** Always 202, also when the outcome is known: C# throws on anything else. [device-wire §0.1] */
async function register(
  device: DeviceRequest,
  { request }: Arrived<Route>,
  transport: DeviceTransport,
): Promise<HttpAnswer> {
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

async function poll(
  device: DeviceRequest,
  { parameters }: Arrived<Route>,
  transport: DeviceTransport,
): Promise<HttpAnswer> {
  const operation = await transport.registrar.status(device, parameters['operation'] ?? '')
  const json = operationJson(operation, readerOf(device, transport))
  return operation.status === 'assigning'
    ? { status: 202, json, retryAfter: operation.retryAfter ?? transport.retryAfter }
    : { status: 200, json }
}

async function lookup(device: DeviceRequest, _: Arrived<Route>, transport: DeviceTransport): Promise<HttpAnswer> {
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

function unescaped(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
