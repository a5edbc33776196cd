import type { Kysely } from 'kysely'
import type { Reader, Writer } from '../store.ts'
import { enrollmentsTable } from './enrollments.ts'
import { registrationsTables } from './registrations.ts'
import type { Tables } from './schema.ts'
import { servicesTables } from './services.ts'
import type { Querier, Recorder } from './statement.ts'

/** The whole of the store's SQL, compiled once for the database that `db` speaks to. */
export function compileTables(db: Kysely<Tables>): {
  readonly reader: (query: Querier) => Reader
  readonly writer: (record: Recorder) => Writer
} {
  const services = servicesTables(db)
  const enrollments = enrollmentsTable(db)
  const registrations = registrationsTables(db)
  return {
    reader: (query) => ({
      services: services.services(query),
      policies: services.policies(query),
      linkedHubs: services.linkedHubs(query),
      caCertificates: services.caCertificates(query),
      keys: services.keys(query),
      enrollments: enrollments.individuals(query),
      enrollmentGroups: enrollments.groups(query),
      registrations: registrations.registrations(query),
      operations: registrations.operations(query),
    }),
    writer: (record) => ({
      services: services.serviceWriter(record),
      policies: services.policyWriter(record),
      linkedHubs: services.linkedHubWriter(record),
      caCertificates: services.caCertificateWriter(record),
      keys: services.keyWriter(record),
      enrollments: enrollments.writer(record),
      registrations: registrations.registrationWriter(record),
      operations: registrations.operationWriter(record),
    }),
  }
}
