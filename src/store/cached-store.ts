import { noIdScope, type IdScope } from '../model/identifiers.ts'
import type { Monotonic } from '../base/time.ts'
import type { Reader, Store, Writer } from './store.ts'

/**
 * A store that remembers what every registration asks for and operators seldom change: instances, policies, linked hubs, CA
 * certificates and groups. What is written through it is forgotten before and after the commit; what another node writes is
 * seen within `freshFor` milliseconds.
 */
export function cachedStore(store: Store, monotonic: Monotonic, freshFor: number): Store {
  const remembered = new Map<IdScope, Memory>()

  interface Memory {
    readonly since: number
    readonly values: Map<string, Promise<unknown>>
  }

  /** What is remembered of one tenant; `noIdScope` is the deployment itself. */
  function memory(idScope: IdScope): Memory {
    const known = remembered.get(idScope)
    if (known && monotonic() - known.since < freshFor) return known
    const fresh = { since: monotonic(), values: new Map() }
    if (remembered.size >= tenantsRemembered) remembered.clear()
    remembered.set(idScope, fresh)
    return fresh
  }

  function remember<A extends readonly string[], T>(what: string, read: (idScope: IdScope, ...rest: A) => Promise<T>) {
    return (idScope: IdScope, ...rest: A): Promise<T> => {
      const { values } = memory(idScope)
      const key = [what, ...rest].join('\0')
      const known = values.get(key) as Promise<T> | undefined
      if (known) return known
      const value = read(idScope, ...rest)
      if (values.size < valuesRemembered) {
        values.set(key, value)
        // What is absent is not remembered, so that made-up names cannot push out real ones.
        value.then(
          (found) => found === undefined && values.delete(key),
          () => values.delete(key),
        )
      }
      return value
    }
  }

  /** For reads whose key is not the tenant. */
  function rememberGlobally<T>(what: string, read: (key: string) => Promise<T>) {
    const inner = remember(what, (_, key: string) => read(key))
    return (key: string) => inner(noIdScope, key)
  }

  const issuers = rememberGlobally('issuers', () => store.tokenIssuers.all())

  const reader: Reader = {
    ...store,
    services: {
      ...store.services,
      byIdScope: rememberGlobally('service', store.services.byIdScope),
      byHostName: rememberGlobally('host', (hostName) => store.services.byHostName(hostName)),
    },
    policies: { ...store.policies, get: remember('policy', store.policies.get) },
    linkedHubs: { all: remember('hubs', store.linkedHubs.all) },
    caCertificates: { ...store.caCertificates, all: remember('ca', store.caCertificates.all) },
    revocations: { ...store.revocations, none: remember('unrevoked', store.revocations.none) },
    revocationLists: { all: remember('lists', store.revocationLists.all) },
    accessTokens: { ...store.accessTokens, get: rememberGlobally('token', store.accessTokens.get) },
    tokenIssuers: { all: () => issuers('') },
    enrollmentGroups: {
      ...store.enrollmentGroups,
      withAttestation: remember('groups', store.enrollmentGroups.withAttestation),
    },
  }

  return {
    ...reader,
    transact: async (work) => {
      const touched = new Set<IdScope>()
      const forget = () => touched.forEach((idScope) => remembered.delete(idScope))
      try {
        await store.transact((writer) => {
          work(watched(writer, touched))
          forget()
        })
      } finally {
        forget()
      }
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

const tenantsRemembered = 10_000
/** Per tenant. */
const valuesRemembered = 10_000

/** A writer that notes which tenants' remembered records it changes. */
function watched(writer: Writer, touched: Set<IdScope>): Writer {
  const touching =
    <A extends readonly unknown[]>(write: (idScope: IdScope, ...rest: A) => void) =>
    (idScope: IdScope, ...rest: A) => {
      touched.add(idScope)
      write(idScope, ...rest)
    }
  const touchingService = (write: Writer['services']['create']) => (service: Parameters<typeof write>[0]) => {
    touched.add(noIdScope).add(service.idScope)
    write(service)
  }
  const globally =
    <A>(write: (what: A) => void) =>
    (what: A) => {
      touched.add(noIdScope)
      write(what)
    }
  return {
    ...writer,
    services: {
      create: touchingService(writer.services.create),
      replace: touchingService(writer.services.replace),
      delete: (idScope) => {
        touched.add(noIdScope).add(idScope)
        writer.services.delete(idScope)
      },
    },
    revocations: {
      put: touching(writer.revocations.put),
      delete: touching(writer.revocations.delete),
      deleteFrom: touching(writer.revocations.deleteFrom),
    },
    revocationLists: {
      put: touching(writer.revocationLists.put),
      delete: touching(writer.revocationLists.delete),
    },
    listedRevocations: {
      put: touching(writer.listedRevocations.put),
      delete: touching(writer.listedRevocations.delete),
      deleteList: touching(writer.listedRevocations.deleteList),
    },
    accessTokens: { put: globally(writer.accessTokens.put), delete: globally(writer.accessTokens.delete) },
    tokenIssuers: { put: globally(writer.tokenIssuers.put), delete: globally(writer.tokenIssuers.delete) },
    policies: { put: touching(writer.policies.put), delete: touching(writer.policies.delete) },
    linkedHubs: { put: touching(writer.linkedHubs.put), delete: touching(writer.linkedHubs.delete) },
    caCertificates: { put: touching(writer.caCertificates.put), delete: touching(writer.caCertificates.delete) },
    enrollments: {
      create: (idScope, enrollment) => {
        if (enrollment.kind === 'group') touched.add(idScope)
        writer.enrollments.create(idScope, enrollment)
      },
      replace: (idScope, enrollment, replaces) => {
        if (enrollment.kind === 'group') touched.add(idScope)
        writer.enrollments.replace(idScope, enrollment, replaces)
      },
      delete: (idScope, enrollment) => {
        if (enrollment.kind === 'group') touched.add(idScope)
        writer.enrollments.delete(idScope, enrollment)
      },
    },
  }
}
