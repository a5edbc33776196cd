import { header, type HttpRequest, type HttpResponse } from '../../wire/http.ts'
import { UnmetExpectation } from '../../sqlite/database.ts'
import type { Hub } from '../hub.ts'
import { HubRefusal } from '../hub-refusal.ts'
import { identityName } from '../identity-request.ts'
import { jobRequest } from '../jobs/job-request.ts'
import { findJob, jobEnds, jobInsertion, jobJson, jobLimits, listJobs, type Job } from '../jobs/job-table.ts'
import { bodyObject, bounded, ok } from './answer.ts'

const pageSize = { usual: 100, most: 1000 }

/** PUT /jobs/v2/{id}: schedules a job. [service-wire §13.4] */
export async function schedule(hub: Hub, jobId: string, request: HttpRequest): Promise<HttpResponse> {
  identityName(jobId, 'jobId')
  const job = jobRequest(await bodyObject(request), hub.clock())
  try {
    await hub.database.write(jobInsertion(hub.name, jobId, job, hub.clock()))
  } catch (error) {
    if (!(error instanceof UnmetExpectation)) throw error
    if (findJob(hub.database, hub.name, jobId)) throw new HubRefusal('JobAlreadyExists', `there is a job ${jobId}`)
    throw new HubRefusal('JobQuotaExceeded', `${jobLimits.waiting} jobs have not ended`)
  }
  return read(hub, jobId)
}

/** GET /jobs/v2/{id} */
export function read(hub: Hub, jobId: string): HttpResponse {
  return ok(jobJson(existing(hub, jobId)))
}

/** POST /jobs/v2/{id}/cancel: a job that has not ended does no more; what it has done stays. */
export async function cancel(hub: Hub, jobId: string): Promise<HttpResponse> {
  await hub.database.write([jobEnds(hub.name, existing(hub, jobId), 'cancelled', hub.clock())])
  return read(hub, jobId)
}

/** GET /jobs/v2/query?jobType=&jobStatus=: a page of jobs. */
export function list(hub: Hub, request: HttpRequest): HttpResponse {
  const size = bounded(header(request, 'x-ms-max-item-count'), 'x-ms-max-item-count', pageSize.usual, pageSize.most)
  const [type, status] = ['jobType', 'jobStatus'].map((name) => request.query.get(name) ?? '') as [string, string]
  const after = Buffer.from(header(request, 'x-ms-continuation') ?? '', 'base64url').toString('utf8')
  const found = listJobs(hub.database, hub.name, { after, type, status, limit: size + 1 })
  const jobs = found.slice(0, size)
  const last = found.length > size ? jobs.at(-1)?.jobId : undefined
  const continuation: Record<string, string> =
    last === undefined ? {} : { 'x-ms-continuation': Buffer.from(last).toString('base64url') }
  return ok(jobs.map(jobJson), { 'x-ms-item-type': 'jobs', ...continuation })
}

function existing(hub: Hub, jobId: string): Job {
  const job = findJob(hub.database, hub.name, jobId)
  if (job) return job
  throw new HubRefusal('JobNotFound', `there is no job ${jobId}`)
}
