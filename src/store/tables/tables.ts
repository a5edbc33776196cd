import type { Kysely } from 'kysely'
import type { Reader, Writer } from '../store.ts'
import { accessTables } from './access.ts'
import { decisionsTable } from './decisions.ts'
import { enrollmentsTable } from './enrollments.ts'
import { registrationsTables } from './registrations.ts'
import { rootKeysTable } from './root-keys.ts'
import { revocationsTables } from './revocations.ts'
import type { Tables } from './schema.ts'
import { servicesTables } from './services.ts'
import type { Querier, Recorder } from './statement.ts'
import { usageTable } from './usage.ts'

/** The whole of the store's SQL, compiled once for the database that `db` speaks to; `node` is who counts. */
export function compileTables(db: Kysely<Tables>): {
  readonly reader: (query: Querier) => Reader
  readonly writer: (record: Recorder, node?: string) => Writer
} {
  const services = servicesTables(db)
  const access = accessTables(db)
  const revocations = revocationsTables(db)
  const rootKeys = rootKeysTable(db)
  const enrollments = enrollmentsTable(db, rootKeys.delete)
  const registrations = registrationsTables(db)
  const decisions = decisionsTable(db)
  const usage = usageTable(db)
  return {
    reader: (query) => ({
      services: services.services(query),
      policies: services.policies(query),
      linkedHubs: services.linkedHubs(query),
      caCertificates: services.caCertificates(query),
      keys: services.keys(query),
      accessTokens: access.accessTokens(query),
      tokenIssuers: access.tokenIssuers(query),
      revocations: revocations.revocations(query),
      revocationLists: revocations.revocationLists(query),
      listedRevocations: revocations.listedRevocations(query),
      enrollments: enrollments.individuals(query),
      enrollmentGroups: enrollments.groups(query),
      registrations: registrations.registrations(query),
      operations: registrations.operations(query),
      decisions: decisions.reader(query),
      usage: usage.reader(query),
      rootKeys: rootKeys.reader(query),
    }),
    writer: (record, node = 'embedded') => ({
      services: services.serviceWriter(record),
      policies: services.policyWriter(record),
      linkedHubs: services.linkedHubWriter(record),
      caCertificates: services.caCertificateWriter(record),
      keys: services.keyWriter(record),
      accessTokens: access.accessTokenWriter(record),
      tokenIssuers: access.tokenIssuerWriter(record),
      revocations: revocations.revocationWriter(record),
      revocationLists: revocations.revocationListWriter(record),
      listedRevocations: revocations.listedRevocationWriter(record),
      enrollments: enrollments.writer(record),
      registrations: registrations.registrationWriter(record),
      operations: registrations.operationWriter(record),
      decisions: decisions.writer(record),
      usage: usage.writer(record, node),
      rootKeys: rootKeys.writer(record),
    }),
  }
}
