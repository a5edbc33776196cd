import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SharedAccessRight } from '../../src/model/service.ts'
import { newEtag, type DeviceId } from '../../src/model/identifiers.ts'
import type { Registration } from '../../src/model/registration.ts'
import { Secret } from '../../src/base/secret.ts'
import { timestamp } from '../../src/base/time.ts'
import { openSqliteStore } from '../../src/store/sqlite-store.ts'
import type { Store } from '../../src/store/store.ts'
import type { AuditLine } from '../../src/transport/service-api/audit.ts'
import { serviceApi, type ServiceApiParts } from '../../src/transport/service-api/service-api.ts'
import { receiveRequest, sendResponse } from '../../src/wire/http.ts'
import { createRoot } from '../fixtures/certificates.ts'
import { askHttps, type HttpsAnswer } from '../fixtures/https.ts'
import { newKey } from '../fixtures/enrollments.ts'
import { offered } from '../fixtures/kinds.ts'
import { sasToken } from '../fixtures/sas.ts'
import { asIdScope, asRegistrationId } from '../fixtures/identifiers.ts'

/** The service operations endpoint alone, over real HTTPS on port 443 of its own address, on a new embedded store. */
export interface Endpoint extends AsyncDisposable {
  readonly host: string
  readonly ca: string
  readonly idScope: string
  readonly store: Store
  readonly keys: Readonly<Record<PolicyName, { readonly primary: string; readonly secondary: string }>>
  readonly connectionString: string
  readonly hubs: readonly string[]
  readonly audit: readonly AuditLine[]
  readonly faults: readonly unknown[]
  /** What the operator was told of calls that were answered. */
  readonly notices: readonly string[]
  /** What was counted so far of one kind of operation. */
  readonly metered: (kind: string) => Promise<number>
  /** A call with a good token of the owner; the api-version is added to the path. */
  readonly call: (method: string, path: string, body?: unknown, headers?: Headers) => Promise<HttpsAnswer>
}

export type PolicyName = 'provisioningserviceowner' | 'reader' | 'registrationReader' | 'registrationWriter'

type Headers = Readonly<Record<string, string | undefined>>

const rights: Readonly<Record<PolicyName, readonly SharedAccessRight[]>> = {
  provisioningserviceowner: ['ServiceConfig', 'DeviceConnect', 'EnrollmentWrite'],
  reader: ['EnrollmentRead'],
  registrationReader: ['RegistrationStatusRead'],
  registrationWriter: ['RegistrationStatusWrite'],
}

// Clients check the certificate against the Host header that they send.
const otherNames = ['acme-dps.example.net', 'other-dps.example.net', 'internal.example']

/** Opens the endpoint on this loopback address; `parts` are the hooks and rules of a particular test. */
export async function openEndpoint(host: string, parts: Partial<ServiceApiParts> = {}): Promise<Endpoint> {
  const directory = await mkdtemp(join(tmpdir(), 'hubward-service-'))
  const store = openSqliteStore(directory)
  const idScope = asIdScope('0ne0000005A')
  const hubs = ['hub-a.example.net', 'Hub-B.example.net']
  const names = Object.keys(rights) as PolicyName[]
  const keys = Object.fromEntries(
    names.map((name) => [name, { primary: newKey(), secondary: newKey() }]),
  ) as Endpoint['keys']
  await store.transact((write) => {
    const allocationPolicy = 'hashed'
    write.services.create({
      idScope,
      name: 'acme',
      hostNames: [host, 'acme-dps.example.net'],
      allocationPolicy,
      createdDateTimeUtc: timestamp(Date.now()),
    })
    for (const keyName of names) {
      const { primary, secondary } = keys[keyName]
      write.policies.put(idScope, {
        keyName,
        primaryKey: secret(primary),
        secondaryKey: secret(secondary),
        rights: rights[keyName],
      })
    }
    for (const hostName of hubs) {
      const link = { keyName: 'iothubowner', key: secret(newKey()), location: 'here' }
      write.linkedHubs.put(idScope, { hostName, ...link, allocationWeight: 1, applyAllocationPolicy: true })
    }
  })
  const audit: AuditLine[] = []
  const faults: unknown[] = []
  const notices: string[] = []
  const api = serviceApi({
    store,
    ...offered,
    clock: Date.now,
    monotonic: Date.now,
    log: {
      audit: (line) => audit.push(line),
      notice: (text) => notices.push(text),
      fault: (error) => faults.push(error),
    },
    ...parts,
  })
  const root = await createRoot('Test server root')
  const { certificate, key } = await root.issueLeaf(host, { usage: 'serverAuth', names: [host, ...otherNames] })
  const server = createServer({ cert: certificate, key, noDelay: true }, (incoming, outgoing) => {
    const peer = { remoteAddress: incoming.socket.remoteAddress ?? '', certificateChain: [] }
    const { request } = receiveRequest(incoming, peer, api.largestBody)
    api
      .handle(request)
      .then((response) => sendResponse(outgoing, response))
      .catch((error: unknown) => faults.push(error))
  })
  await listen(server, host)
  const owner = keys.provisioningserviceowner.primary
  return {
    host,
    ca: root.certificate,
    idScope,
    store,
    keys,
    connectionString: `HostName=${host};SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=${owner}`,
    hubs,
    audit,
    faults,
    notices,
    metered: async (kind) => {
      const counted = await store.usage.between(idScope, '2000-01-01', '9999-12-31')
      return counted.filter((usage) => usage.kind === kind).reduce((sum, { operations }) => sum + operations, 0)
    },
    call: (method, path, body, headers) => {
      const authorization = sasToken(host, owner, { keyName: 'provisioningserviceowner' })
      const versioned = `${path}${path.includes('?') ? '&' : '?'}api-version=2021-10-01`
      return askHttps(host, 443, root.certificate, {
        method,
        path: versioned,
        body,
        headers: { authorization, ...headers },
      })
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await store[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A registration as devices write it: assigned to the first hub. */
export function registrationOf(registrationId: DeviceId, enrollmentGroupId?: string): Registration {
  const now = timestamp(Date.now())
  return {
    registrationId: asRegistrationId(registrationId),
    ...(enrollmentGroupId !== undefined && { enrollmentGroupId }),
    attestationType: 'symmetricKey',
    status: 'assigned',
    assignment: { assignedHub: 'hub-a.example.net', deviceId: registrationId, substatus: 'initialAssignment' },
    createdDateTimeUtc: now,
    lastUpdatedDateTimeUtc: now,
    etag: newEtag(),
  }
}

function secret(base64: string): Secret {
  return new Secret(Buffer.from(base64, 'base64'))
}

function listen(server: Server, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(443, host, resolve)
  })
}
