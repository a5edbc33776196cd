import { setTimeout as wait } from 'node:timers/promises'
import { UnmetExpectation } from '../../sqlite/database.ts'
import type { Write } from '../../sqlite/transactions.ts'
import { Unwritable } from '../../sqlite/unwritable.ts'
import { directMethod, invoke } from '../direct-method.ts'
import type { Hub } from '../hub.ts'
import { asRefusal, HubRefusal } from '../hub-refusal.ts'
import type { Address } from '../registry.ts'
import { patchTwin } from '../twin-changes.ts'
import { conditionQuery, twinPage } from '../twin-query.ts'
import { twinChange } from '../twin-request.ts'
import { dueJob, findJob, interruptedJobs, jobBegins, jobEnds, type Job } from './job-table.ts'

const lookEvery = 250
/** Devices at a time. */
const atOnce = 20

/** Runs a hub's jobs when their time has come, one after another, until it is disposed. */
export function startJobs(hub: Hub): AsyncDisposable {
  let ended = false

  async function failInterrupted(): Promise<void> {
    const writes = interruptedJobs(hub.database, hub.name, hub.clock())
    if (writes.length > 0) await written(hub, writes, () => ended)
  }

  async function runDue(): Promise<void> {
    const job = dueJob(hub.database, hub.name, hub.clock())
    if (job) await run(hub, job, () => ended)
  }

  async function told(task: Promise<void>): Promise<void> {
    try {
      await task
    } catch (thrown) {
      // Who watches the database has told of it.
      if (!(thrown instanceof Unwritable)) hub.onFault(thrown)
    }
    running = undefined
  }

  let running: Promise<void> | undefined = told(failInterrupted())
  const timer = setInterval(() => (running ??= told(runDue())), lookEvery).unref()
  return {
    [Symbol.asyncDispose]: async () => {
      ended = true
      clearInterval(timer)
      await running
    },
  }
}

async function run(hub: Hub, job: Job, isEnded: () => boolean): Promise<void> {
  try {
    await hub.database.write([jobBegins(hub.name, job)])
  } catch (error) {
    // Somebody cancelled it meanwhile.
    if (error instanceof UnmetExpectation) return
    throw error
  }
  const deadline = hub.clock() + job.longest * 1000
  const query = conditionQuery(job.condition)
  const act = actionOf(hub, job)
  const counts = { succeeded: 0, failed: 0 }
  let after: readonly [string, string] | undefined = ['', '']
  while (after) {
    if (isEnded() || findJob(hub.database, hub.name, job.jobId)?.status !== 'running') return
    const { items, last } = await twinPage(hub, query, after, atOnce)
    const outcomes = await Promise.all(items.map(({ deviceId }) => succeeds(act, String(deviceId))))
    for (const isDone of outcomes) counts[isDone ? 'succeeded' : 'failed']++
    after = last
    if (!after || hub.clock() <= deadline) continue
    const failure = `the job took longer than ${job.longest} s`
    const end = jobEnds(hub.name, { jobId: job.jobId, failure, ...counts }, 'failed', hub.clock())
    return written(hub, [end], isEnded)
  }
  const end = jobEnds(hub.name, { jobId: job.jobId, failure: '', ...counts }, 'completed', hub.clock())
  await written(hub, [end], isEnded)
}

/** Written now, or when it can be: a job that has ended must not stand as running. */
async function written(hub: Hub, writes: readonly Write[], isEnded: () => boolean): Promise<void> {
  for (;;) {
    try {
      return await hub.database.write([...writes])
    } catch (error) {
      if (!(error instanceof Unwritable) || isEnded()) throw error
      await wait(lookEvery)
    }
  }
}

type Action = (device: Address) => Promise<unknown>

/** What a job does to each device. */
function actionOf(hub: Hub, { type, task }: Job): Action {
  if (type === 'scheduleUpdateTwin') {
    const { tags, desired } = twinChange(task)
    return (device) => patchTwin(hub, device, { tags, desired }, '*')
  }
  const method = { ...directMethod(task), connectTimeout: 0 }
  return (device) => invoke(hub, device, method)
}

/** Do it to a device; true if it was done. A device that is not connected, or gone, is no fault of the job. */
async function succeeds(act: Action, deviceId: string): Promise<boolean> {
  try {
    await act({ deviceId, moduleId: '' })
    return true
  } catch (thrown) {
    if (asRefusal(thrown) instanceof HubRefusal) return false
    throw thrown
  }
}
