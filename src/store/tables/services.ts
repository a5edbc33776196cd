import { sql, type Kysely } from 'kysely'
import type { CaCertificate } from '../../model/ca-certificate.ts'
import { Secret } from '../../base/secret.ts'
import type { LinkedHub, ProvisioningService, SharedAccessPolicy } from '../../model/service.ts'
import type { Reader, Writer } from '../store.ts'
import type { Tables } from './schema.ts'
import { seal, unseal } from './sealed.ts'
import { parameter, statement, type Querier, type Recorder, type Row, type Statement } from './statement.ts'

/** Instances, and the short lists that belong to one: policies, linked hubs, CA certificates; and the deployment's own keys. */
export function servicesTables(db: Kysely<Tables>) {
  const service = {
    byIdScope: statement(
      db.selectFrom('services').select('document').where('id_scope', '=', parameter<string>('idScope')),
    ),
    byHostName: statement(
      db
        .selectFrom('service_host_names as name')
        .innerJoin('services', 'services.id_scope', 'name.id_scope')
        .select('document')
        .where('name.host_name', '=', parameter<string>('hostName')),
    ),
    all: statement(db.selectFrom('services').select('document').orderBy('id_scope')),
    create: statement(
      db
        .insertInto('services')
        .values({ id_scope: parameter('idScope'), document: parameter('document') })
        .onConflict((conflict) => conflict.doNothing()),
    ),
    // Each scope is claimed once and for ever; its row outlives the instance.
    claim: statement(
      db
        .insertInto('retired_id_scopes')
        .values({ id_scope: parameter('idScope') })
        .onConflict((conflict) => conflict.doNothing()),
    ),
    replace: statement(
      db
        .updateTable('services')
        .set({ document: parameter<string>('document') })
        .where('id_scope', '=', parameter<string>('idScope')),
    ),
    name: statement(
      db
        .insertInto('service_host_names')
        .values({ host_name: parameter('hostName'), id_scope: parameter('idScope') })
        .onConflict((conflict) => conflict.doNothing()),
    ),
    unname: statement(db.deleteFrom('service_host_names').where('id_scope', '=', parameter<string>('idScope'))),
    erase: belongings.map((table) => erasureOf(db, table)),
  }
  const policies = keyed(db, 'policies')
  const hubs = keyed(db, 'linked_hubs')
  const certificates = {
    all: statement(
      db
        .selectFrom('ca_certificates')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .orderBy('key'),
    ),
    get: statement(
      db
        .selectFrom('ca_certificates')
        .select('document')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key')),
    ),
    create: statement(
      db
        .insertInto('ca_certificates')
        .values({
          id_scope: parameter('idScope'),
          key: parameter('key'),
          document: parameter('document'),
          etag: parameter('etag'),
        })
        .onConflict((conflict) => conflict.doNothing()),
    ),
    replace: statement(
      db
        .updateTable('ca_certificates')
        .set({ document: parameter<string>('document'), etag: parameter<string>('etag') })
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key'))
        .where('etag', '=', parameter<string>('replaces')),
    ),
    delete: statement(
      db
        .deleteFrom('ca_certificates')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key')),
    ),
    deleteExpected: statement(
      db
        .deleteFrom('ca_certificates')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key'))
        .where('etag', '=', parameter<string>('expected')),
    ),
  }
  const keys = {
    get: statement(db.selectFrom('keys').select('secret').where('name', '=', parameter<string>('name'))),
    create: statement(
      db
        .insertInto('keys')
        .values({ name: parameter('name'), secret: parameter('secret') })
        .onConflict((conflict) => conflict.doNothing()),
    ),
  }

  return {
    services: (query: Querier): Reader['services'] => ({
      byIdScope: async (idScope) => optional(await query.get(service.byIdScope, { idScope }), toService),
      byHostName: async (hostName) =>
        optional(await query.get(service.byHostName, { hostName: hostName.toLowerCase() }), toService),
      all: async () => (await query.all(service.all, {})).map(toService),
    }),
    policies: (query: Querier): Reader['policies'] => ({
      get: async (idScope, keyName) =>
        optional(await query.get(policies.get, { idScope, key: keyName.toLowerCase() }), toPolicy),
      all: async (idScope) => (await query.all(policies.all, { idScope })).map(toPolicy),
    }),
    linkedHubs: (query: Querier): Reader['linkedHubs'] => ({
      all: async (idScope) => (await query.all(hubs.all, { idScope })).map(toHub),
    }),
    caCertificates: (query: Querier): Reader['caCertificates'] => ({
      get: async (idScope, name) =>
        optional(await query.get(certificates.get, { idScope, key: name.toLowerCase() }), toCaCertificate),
      all: async (idScope) => (await query.all(certificates.all, { idScope })).map(toCaCertificate),
    }),
    keys: (query: Querier): Reader['keys'] => ({
      get: async (name) => optional(await query.get(keys.get, { name }), ({ secret }) => toSecret(String(secret))),
    }),

    serviceWriter: (record: Recorder): Writer['services'] => {
      const nameHosts = ({ idScope, hostNames }: ProvisioningService) => {
        for (const hostName of hostNames) record(service.name, { hostName: hostName.toLowerCase(), idScope }, 1)
      }
      return {
        create: (created) => {
          record(service.claim, { idScope: created.idScope }, 1)
          record(service.create, { idScope: created.idScope, document: JSON.stringify(created) }, 1)
          nameHosts(created)
        },
        replace: (replaced) => {
          record(service.replace, { idScope: replaced.idScope, document: JSON.stringify(replaced) }, 1)
          record(service.unname, { idScope: replaced.idScope })
          nameHosts(replaced)
        },
        delete: (idScope) => service.erase.forEach((erasure) => record(erasure, { idScope })),
      }
    },
    policyWriter: (record: Recorder): Writer['policies'] => ({
      put: (idScope, policy) =>
        record(policies.put, { idScope, key: policy.keyName.toLowerCase(), ...sealedIn(policy) }),
      delete: (idScope, keyName) => record(policies.delete, { idScope, key: keyName.toLowerCase() }, 1),
    }),
    linkedHubWriter: (record: Recorder): Writer['linkedHubs'] => ({
      put: (idScope, hub) => record(hubs.put, { idScope, key: hub.hostName.toLowerCase(), ...sealedIn(hub) }),
      delete: (idScope, hostName) => record(hubs.delete, { idScope, key: hostName.toLowerCase() }, 1),
    }),
    caCertificateWriter: (record: Recorder): Writer['caCertificates'] => ({
      put: (idScope, certificate, replaces) => {
        const { name, etag } = certificate
        const row = { idScope, key: name.toLowerCase(), document: JSON.stringify(certificate), etag }
        if (replaces === undefined) record(certificates.create, row, 1)
        else record(certificates.replace, { ...row, replaces }, 1)
      },
      delete: (idScope, name, expected) => {
        const row = { idScope, key: name.toLowerCase() }
        if (expected === undefined) record(certificates.delete, row, 1)
        else record(certificates.deleteExpected, { ...row, expected }, 1)
      },
    }),
    keyWriter: (record: Recorder): Writer['keys'] => ({
      create: (name, key) => record(keys.create, { name, secret: key.revealBase64() }, 1),
    }),
  }
}

/** What goes when an instance is deleted. Its decisions and its usage stay for as long as those are kept. */
const belongings = [
  'services',
  'service_host_names',
  'policies',
  'linked_hubs',
  'ca_certificates',
  'enrollments',
  'registrations',
  'operations',
  'tpm_root_keys',
  'revocations',
  'revocation_lists',
  'listed_revocations',
] as const satisfies readonly (keyof Tables)[]

function erasureOf(db: Kysely<Tables>, table: (typeof belongings)[number]): Statement {
  const erasure = sql`delete from ${sql.table(table)} where id_scope = ${parameter<string>('idScope')}`
  return statement({ compile: () => erasure.compile(db) })
}

/** The statements of a table of documents with secrets, kept by instance and key. */
function keyed(db: Kysely<Tables>, table: 'policies' | 'linked_hubs') {
  const ofInstance = db
    .selectFrom(table)
    .select(['document', 'secret'])
    .where('id_scope', '=', parameter<string>('idScope'))
  return {
    get: statement(ofInstance.where('key', '=', parameter<string>('key'))),
    all: statement(ofInstance.orderBy('key')),
    put: statement(
      db
        .insertInto(table)
        .values({
          id_scope: parameter('idScope'),
          key: parameter('key'),
          document: parameter('document'),
          secret: parameter('secret'),
        })
        .onConflict((conflict) =>
          conflict.columns(['id_scope', 'key']).doUpdateSet((update) => ({
            document: update.ref('excluded.document'),
            secret: update.ref('excluded.secret'),
          })),
        ),
    ),
    delete: statement(
      db
        .deleteFrom(table)
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('key', '=', parameter<string>('key')),
    ),
  }
}

function optional<T>(row: Row | undefined, read: (row: Row) => T): T | undefined {
  return row && read(row)
}

function toService({ document }: Row): ProvisioningService {
  return JSON.parse(String(document)) as ProvisioningService
}

function toCaCertificate({ document }: Row): CaCertificate {
  return JSON.parse(String(document)) as CaCertificate
}

function toPolicy(row: Row): SharedAccessPolicy {
  return unseal(row, ['/primaryKey', '/secondaryKey'])
}

function toHub(row: Row): LinkedHub {
  return unseal(row, ['/key', '/previousKey'])
}

/** In tables whose secret is never null: a record without one has none by name. */
function sealedIn(record: object): { readonly document: string; readonly secret: string } {
  const { document, secret } = seal(record)
  return { document, secret: secret ?? '{}' }
}

function toSecret(base64: string): Secret {
  return new Secret(Buffer.from(base64, 'base64'))
}
