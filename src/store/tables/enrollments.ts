import { sql, type Kysely } from 'kysely'
import {
  enrollmentId,
  type AttestationMechanism,
  type EnrolledCertificate,
  type Enrollment,
  type EnrollmentGroup,
  type IndividualEnrollment,
} from '../../model/enrollment.ts'
import { registrationKey } from '../../model/identifiers.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Reader, Writer } from '../store.ts'
import type { EnrollmentRow, Tables } from './schema.ts'
import { seal, unseal } from './sealed.ts'
import { parameter, statement, type Querier, type Recorder, type Row } from './statement.ts'

type Kind = Enrollment['kind']

function statements(db: Kysely<Tables>) {
  const ofKind = db
    .selectFrom('enrollments')
    .select(['document', 'secret'])
    .where('id_scope', '=', parameter<string>('idScope'))
    .where('kind', '=', parameter<string>('kind'))
  return {
    get: statement(ofKind.where('key', '=', parameter<string>('key'))),
    slice: statement(
      ofKind.where('key', '>', parameter<string>('after')).orderBy('key').limit(parameter<number>('limit')),
    ),
    withCertificate: statement(
      ofKind.where((where) =>
        where.or([
          where('primary_certificate', '=', parameter<string>('certificate')),
          where('secondary_certificate', '=', parameter<string>('certificate')),
        ]),
      ),
    ),
    groupsWithAttestation: statement(
      db
        .selectFrom('enrollments')
        .select(['document', 'secret'])
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('kind', '=', sql.lit('group')) // the condition of the index, so a literal
        .where('attestation', '=', parameter<string>('type'))
        .orderBy('key'),
    ),
    count: statement(
      db
        .selectFrom('enrollments')
        .select((of) => of.fn.countAll<number>().as('count'))
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('kind', '=', parameter<string>('kind')),
    ),
    create: statement(
      db
        .insertInto('enrollments')
        .values({
          id_scope: parameter('id_scope'),
          kind: parameter('kind'),
          key: parameter('key'),
          attestation: parameter('attestation'),
          primary_certificate: parameter('primary_certificate'),
          secondary_certificate: parameter('secondary_certificate'),
          document: parameter('document'),
          secret: parameter('secret'),
          etag: parameter('etag'),
        })
        .onConflict((conflict) => conflict.doNothing()),
    ),
    replace: statement(
      db
        .updateTable('enrollments')
        .set({
          attestation: parameter<string>('attestation'),
          primary_certificate: parameter<string>('primary_certificate'),
          secondary_certificate: parameter<string>('secondary_certificate'),
          document: parameter<string>('document'),
          secret: parameter<string>('secret'),
          etag: parameter<string>('etag'),
        })
        .where('id_scope', '=', parameter<string>('id_scope'))
        .where('kind', '=', parameter<string>('kind'))
        .where('key', '=', parameter<string>('key'))
        .where('etag', '=', parameter<string>('replaces')),
    ),
    delete: statement(
      db
        .deleteFrom('enrollments')
        .where('id_scope', '=', parameter<string>('idScope'))
        .where('kind', '=', parameter<string>('kind'))
        .where('key', '=', parameter<string>('key'))
        .where('etag', '=', parameter<string>('etag')),
    ),
  }
}

/** The table of individual enrollments and enrollment groups. `forget` deletes what was kept of a device for its enrollment. */
export function enrollmentsTable(db: Kysely<Tables>, forget: (record: Recorder, idScope: string, key: string) => void) {
  const compiled = statements(db)

  function reader<E extends Enrollment>(query: Querier, kind: E['kind'] & Kind) {
    const read = (row: Row): E => restore<E>(row)
    return {
      get: async (idScope: string, id: string) => {
        const row = await query.get(compiled.get, { idScope, kind, key: registrationKey(id) })
        return row && read(row)
      },
      slice: async (idScope: string, slice: { after: string; limit: number }) =>
        (await query.all(compiled.slice, { idScope, kind, ...slice })).map(read),
      count: async (idScope: string) => Number((await query.get(compiled.count, { idScope, kind }))?.['count'] ?? 0),
      withCertificate: async (idScope: string, certificate: string) =>
        (await query.all(compiled.withCertificate, { idScope, kind, certificate })).map(read),
    }
  }

  return {
    individuals: (query: Querier): Reader['enrollments'] => reader<IndividualEnrollment>(query, 'individual'),

    groups: (query: Querier): Reader['enrollmentGroups'] => {
      const groups = reader<EnrollmentGroup>(query, 'group')
      return {
        ...groups,
        withCaReference: (idScope, name) => groups.withCertificate(idScope, caReference(name)),
        withAttestation: async (idScope, type) =>
          (await query.all(compiled.groupsWithAttestation, { idScope, type })).map(restore<EnrollmentGroup>),
      }
    },

    writer: (record: Recorder): Writer['enrollments'] => ({
      create: (idScope, enrollment) => record(compiled.create, toRow(idScope, enrollment), 1),
      replace: (idScope, enrollment, replaces) =>
        record(compiled.replace, { ...toRow(idScope, enrollment), replaces }, 1),
      delete: (idScope, enrollment) => {
        const { kind, etag } = enrollment
        const key = registrationKey(enrollmentId(enrollment))
        record(compiled.delete, { idScope, kind, key, etag }, 1)
        if (enrollment.attestation.type === 'tpm') forget(record, idScope, key)
      },
    }),
  }
}

function toRow(idScope: string, enrollment: Enrollment): { [column in keyof EnrollmentRow]: EnrollmentRow[column] } {
  const { kind, attestation, etag } = enrollment
  return {
    id_scope: idScope,
    kind,
    key: registrationKey(enrollmentId(enrollment)),
    attestation: attestation.type,
    primary_certificate: certificateKey(attestation, 'primary'),
    secondary_certificate: certificateKey(attestation, 'secondary'),
    ...seal(enrollment),
    etag,
  }
}

/** A mechanism of any kind that holds a certificate in this slot, or names an uploaded one, is found by it. */
function certificateKey(mechanism: AttestationMechanism, slot: 'primary' | 'secondary'): string | null {
  const { of, [slot]: held } = mechanism
  if (of === 'caReferences') return typeof held === 'string' ? caReference(held) : null
  return isCertificate(held) ? held.info.sha256Thumbprint : null
}

function isCertificate(held: unknown): held is EnrolledCertificate {
  return typeof held === 'object' && held !== null && 'der' in held && 'info' in held
}

function caReference(name: string): string {
  return `ca:${name.toLowerCase()}`
}

/** Only symmetric keys were secret in 0.1.0. */
const columns = ['/attestation/primaryKey', '/attestation/secondaryKey']

function restore<E extends Enrollment>(row: Row): E {
  const enrollment = unseal<E & OlderEnrollment>(row, columns)
  const { customAllocationDefinition } = enrollment
  return customAllocationDefinition ? { ...enrollment, definitions: { customAllocationDefinition } } : enrollment
}

/** In 0.1.0 only one allocation policy had a member of its own. */
interface OlderEnrollment {
  readonly customAllocationDefinition?: JsonObject
}
