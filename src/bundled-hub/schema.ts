import type { Migration } from '../sqlite/migrate.ts'

/** Every key begins with the hub: one file holds them all. A device is the identity whose module is empty. */
export const migrations: readonly Migration[] = [
  `
  create table policy (
    hub text not null, name text not null, rights text not null, primary_key text not null, secondary_key text not null,
    primary key (hub, name)
  );
  create table identity (
    hub text not null, device text not null, module text not null,
    generation text not null, revision integer not null, etag text not null,
    status text not null, status_reason text, status_updated integer not null,
    authentication text not null, primary_credential text, secondary_credential text,
    edge integer not null, scope text, parent_scopes text not null, managed_by text,
    connection_updated integer not null, last_activity integer not null,
    twin_version integer not null, model_id text not null, tags text not null,
    desired text not null, desired_metadata text not null, desired_version integer not null,
    reported text not null, reported_metadata text not null, reported_version integer not null,
    primary key (hub, device, module)
  );
  create table device_bound (
    sequence integer primary key autoincrement,
    hub text not null, device text not null, properties text not null, body blob not null,
    expires integer not null, deliveries integer not null
  );
  create index device_bound_of on device_bound (hub, device, sequence);
  create table session (
    hub text not null, client text not null, subscriptions integer not null,
    primary key (hub, client)
  );
  create table telemetry (
    position integer primary key,
    hub text not null, device text not null, module text not null,
    enqueued integer not null, properties text not null, body blob not null
  );
  create index telemetry_of on telemetry (hub, device, position);
  `,
  `
  create table feedback (
    sequence integer primary key autoincrement,
    hub text not null, record text not null
  );
  `,
  `
  create table job (
    hub text not null, job text not null, type text not null, task text not null, condition text not null,
    starts integer not null, longest integer not null, status text not null, created integer not null,
    ended integer not null, failure text not null, succeeded integer not null, failed integer not null,
    primary key (hub, job)
  );
  create index job_due on job (hub, status, starts);
  `,
]
