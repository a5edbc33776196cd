import { type JsonObject, storedObject } from '../../base/json.ts'
import type { Database, SqlRow } from '../../sqlite/database.ts'
import type { Write } from '../../sqlite/transactions.ts'
import { time } from '../identity.ts'
import type { JobRequest } from './job-request.ts'

export type JobStatus = 'queued' | 'running' | 'completed' | 'failed' | 'cancelled'

export interface Job extends JobRequest {
  readonly jobId: string
  readonly status: JobStatus
  /** Milliseconds since 1970; 0 is never. */
  readonly created: number
  readonly ended: number
  readonly failure: string
  readonly succeeded: number
  readonly failed: number
}

/** Jobs of a hub that have not ended, and days that ended ones are kept. */
export const jobLimits = { waiting: 1000, keptDays: 30 } as const

const columns = 'job, type, task, condition, starts, longest, status, created, ended, failure, succeeded, failed'
const insert = `insert into job (hub, ${columns}) select ?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?8, 0, '', 0, 0
  where (select count(*) from job where hub = ?1 and ended = 0) < ${jobLimits.waiting} on conflict do nothing`
const forget = 'delete from job where hub = ? and ended > 0 and ended < ?'
const one = `select ${columns} from job where hub = ? and job = ?`
const page = `select ${columns} from job where hub = ?1 and job > ?2 and (?3 = '' or type = ?3) and (?4 = '' or status = ?4)
  order by job limit ?5`
const due = `select ${columns} from job where hub = ? and status = 'queued' and starts <= ? order by starts limit 1`
const move = 'update job set status = ? where hub = ? and job = ? and status = ?'
const finish = `update job set status = ?, ended = ?, failure = ?, succeeded = ?, failed = ?
  where hub = ? and job = ? and ended = 0`
const running = `select job from job where hub = ? and status = 'running' limit 1`
const interrupt = `update job set status = 'failed', ended = ?, failure = 'the hub was ended while the job ran'
  where hub = ? and status = 'running'`

/** The job as a new row; the caller expects one change. Those that ended long ago make room. */
export function jobInsertion(hub: string, jobId: string, request: JobRequest, now: number): Write[] {
  const { type, task, condition, starts, longest } = request
  const parameters = [hub, jobId, type, JSON.stringify(task), condition, starts, longest, now]
  return [
    { sql: forget, parameters: [hub, now - jobLimits.keptDays * 86_400_000] },
    { sql: insert, parameters, expect: 1 },
  ]
}

export function findJob(database: Database, hub: string, jobId: string): Job | undefined {
  const row = database.get(one, [hub, jobId])
  return row && stored(row)
}

/** Jobs in the order of their IDs, of a type and status where these are not empty. */
export function listJobs(
  database: Database,
  hub: string,
  {
    after,
    type,
    status,
    limit,
  }: { readonly after: string; readonly type: string; readonly status: string; readonly limit: number },
): Job[] {
  return database.all(page, [hub, after, type, status, limit]).map(stored)
}

/** The job that should have begun first. */
export function dueJob(database: Database, hub: string, now: number): Job | undefined {
  const row = database.get(due, [hub, now])
  return row && stored(row)
}

/** The job begins, if nobody cancelled it. */
export function jobBegins(hub: string, { jobId }: Job): Write {
  return { sql: move, parameters: ['running', hub, jobId, 'queued'], expect: 1 }
}

/** The job has ended, if it had not before. */
export function jobEnds(
  hub: string,
  { jobId, failure, succeeded, failed }: Pick<Job, 'jobId' | 'failure' | 'succeeded' | 'failed'>,
  status: JobStatus,
  now: number,
): Write {
  return { sql: finish, parameters: [status, now, failure, succeeded, failed, hub, jobId] }
}

/** What ran when the hub was ended has failed: whether a method was invoked is not known, and it is not invoked twice. */
export function interruptedJobs(database: Database, hub: string, now: number): Write[] {
  return database.get(running, [hub]) ? [{ sql: interrupt, parameters: [now, hub] }] : []
}

/** The job as the service API gives it. [service-wire §13.4] */
export function jobJson(job: Job): JsonObject {
  const { jobId, type, task, condition, starts, longest, status, created, ended, failure, succeeded, failed } = job
  return {
    jobId,
    type,
    [type === 'scheduleUpdateTwin' ? 'updateTwin' : 'cloudToDeviceMethod']: task,
    queryCondition: condition,
    createdTime: time(created),
    startTime: time(starts),
    ...(ended === 0 ? {} : { endTime: time(ended) }),
    maxExecutionTimeInSeconds: longest,
    status,
    ...(failure === '' ? {} : { failureReason: failure }),
    deviceJobStatistics: {
      deviceCount: succeeded + failed,
      succeededCount: succeeded,
      failedCount: failed,
      runningCount: 0,
      pendingCount: 0,
    },
  }
}

function stored(row: SqlRow): Job {
  return {
    jobId: String(row['job']),
    type: row['type'] === 'scheduleUpdateTwin' ? 'scheduleUpdateTwin' : 'scheduleDeviceMethod',
    task: storedObject(row['task']),
    condition: String(row['condition']),
    starts: Number(row['starts']),
    longest: Number(row['longest']),
    status: String(row['status']) as JobStatus,
    created: Number(row['created']),
    ended: Number(row['ended']),
    failure: String(row['failure']),
    succeeded: Number(row['succeeded']),
    failed: Number(row['failed']),
  }
}
