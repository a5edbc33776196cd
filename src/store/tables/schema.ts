/**
 * The tables, for every database. Records are JSON documents; a column stands beside one only where it is searched by.
 * Secrets have a column of their own, so that they can be sealed at rest without touching a document.
 */
export interface Tables {
  services: { id_scope: string; document: string }
  service_host_names: { host_name: string; id_scope: string }
  policies: { id_scope: string; key: string; document: string; secret: string }
  linked_hubs: { id_scope: string; key: string; document: string; secret: string }
  ca_certificates: { id_scope: string; key: string; document: string; etag: string }
  enrollments: EnrollmentRow
  registrations: RegistrationRow
  operations: OperationRow
  keys: { name: string; secret: string }
  retired_id_scopes: { id_scope: string }
  revocations: { id_scope: string; key: string; source: string; document: string }
  revocation_lists: { id_scope: string; key: string; document: string }
  listed_revocations: { id_scope: string; authority: string; serial: string; list: string; document: string }
  access_tokens: { key: string; document: string }
  token_issuers: { key: string; document: string }
  decisions: { id_scope: string; id: string; key: string; tracking_id: string; document: string; share: string }
  tpm_root_keys: {
    id_scope: string
    key: string
    digest: string
    root_key: string
    presented_at: number
    proven: number
  }
  usage: { id_scope: string; day: string; kind: string; node: string; operations: number }
}

export interface EnrollmentRow {
  id_scope: string
  kind: string
  /** The ID in lower case. */
  key: string
  attestation: string
  /** SHA-256 thumbprint of the enrolled certificate, or `ca:` and the name of an uploaded one. */
  primary_certificate: string | null
  secondary_certificate: string | null
  document: string
  secret: string | null
  etag: string
}

export interface RegistrationRow {
  id_scope: string
  key: string
  group_key: string | null
  assigned_hub: string | null
  document: string
  etag: string
}

export interface OperationRow {
  id_scope: string
  id: string
  status: string
  document: string
  created_at: number
}

/** Written in the SQL that SQLite and PostgreSQL share. A step that was released is never edited. */
export const migrations = [
  `create table services (id_scope text primary key, document text not null);
   create table service_host_names (host_name text primary key, id_scope text not null);
   create table policies (id_scope text, key text, document text not null, secret text not null, primary key (id_scope, key));
   create table linked_hubs (id_scope text, key text, document text not null, secret text not null, primary key (id_scope, key));
   create table ca_certificates (id_scope text, key text, document text not null, etag text not null, primary key (id_scope, key));
   create table enrollments (
     id_scope text, kind text, key text, attestation text not null, primary_certificate text, secondary_certificate text,
     document text not null, secret text, etag text not null, primary key (id_scope, kind, key));
   create index enrollments_by_primary_certificate on enrollments (id_scope, primary_certificate)
     where primary_certificate is not null;
   create index enrollments_by_secondary_certificate on enrollments (id_scope, secondary_certificate)
     where secondary_certificate is not null;
   create index groups_by_attestation on enrollments (id_scope, attestation) where kind = 'group';
   create table registrations (
     id_scope text, key text, group_key text, assigned_hub text, document text not null, etag text not null,
     primary key (id_scope, key));
   create index registrations_of_group on registrations (id_scope, group_key, key) where group_key is not null;
   create index registrations_of_hub on registrations (id_scope, assigned_hub, key) where assigned_hub is not null;
   create table operations (
     id_scope text, id text, status text not null, document text not null, created_at bigint not null,
     primary key (id_scope, id));
   create index operations_by_age on operations (created_at);
   create index operations_unfinished on operations (status) where status = 'assigning';
   create table keys (name text primary key, secret text not null)`,
  `create table decisions (
     id_scope text, id text, key text not null, tracking_id text not null, document text not null,
     primary key (id_scope, id));
   create index decisions_of_registration on decisions (id_scope, key, id);
   create index decisions_by_tracking_id on decisions (id_scope, tracking_id, id);
   create table usage (
     id_scope text, day text, kind text, node text, operations bigint not null,
     primary key (id_scope, day, kind, node))`,
  `create table retired_id_scopes (id_scope text primary key);
   insert into retired_id_scopes (id_scope) select id_scope from services;
   create table revocations (
     id_scope text, key text, source text not null, document text not null, primary key (id_scope, key));
   create index revocations_by_source on revocations (id_scope, source);
   create table revocation_lists (id_scope text, key text, document text not null, primary key (id_scope, key));
   create table access_tokens (key text primary key, document text not null);
   create table token_issuers (key text primary key, document text not null)`,
  `create table listed_revocations (
     id_scope text, authority text, serial text, list text, document text not null,
     primary key (id_scope, authority, serial, list));
   create index listed_revocations_of_list on listed_revocations (id_scope, list, authority, serial)`,
  // Whose the older ones are, nobody wrote down: strangers do not push them out.
  `alter table decisions add column share text not null default 'known';
   update decisions set share = 'stranger' where id_scope = '';
   create index decisions_of_share on decisions (id_scope, share, id)`,
  `create table tpm_root_keys (
     id_scope text, key text, digest text, root_key text not null, presented_at bigint not null,
     proven integer not null, primary key (id_scope, key, digest))`,
]
