import { setTimeout as wait } from 'node:timers/promises'
import { Random } from '../engine/random.ts'
import { converse, type Conversation, type Converse, type End } from './conversation.ts'
import type { Held, Subject } from './subject.ts'

/** Conversations after which something was wrong, and what; one of them alone, where one alone does it. */
export interface Trouble {
  readonly conversations: readonly Conversation[]
  readonly what: string
  /** How many conversations were begun until then. */
  readonly after: number
}

export interface Talk {
  readonly conversations: number
  readonly ends: Readonly<Record<End['as'], number>>
  /** The most memory that the process took beyond what it had at the beginning, in bytes. */
  readonly peak: number
  readonly trouble?: Trouble
}

const together = 8
/** Of memory, in bytes: more than the collector's moods, less than what any stranger may cost. */
const mostGrowth = 128 << 20
/** Descriptors that the service may have opened for its own purposes in the meantime. */
const moreDescriptors = 12
const settling = 20_000
const batchesPerHonest = 4

/** Let strangers talk to the service, a few at a time, until something is wrong or `goOn` says no. */
export async function talk(
  subject: Subject,
  make: Converse,
  { seed, goOn }: { readonly seed: number; readonly goOn: (conversations: number) => boolean },
): Promise<Talk> {
  const random = new Random(seed)
  const ends = { closed: 0, left: 0, 'turned away': 0, 'left open': 0 }
  let begun = 0
  let peak = 0
  await subject.registerHonestly()
  const before = subject.held()

  for (let batches = 0; goOn(begun); batches++) {
    const batch = Array.from({ length: together }, () => make(random, subject.service.idScope))
    begun += batch.length
    const what = await wrongAfter(
      subject,
      batch,
      random,
      before.memory,
      (end) => ends[end.as]++,
      batches % batchesPerHonest === 0,
    )
    if (subject.service.running()) peak = Math.max(peak, subject.held().peak - before.memory)
    if (what === undefined) continue
    const alone = await culprit(subject, batch, random)
    return { conversations: begun, ends, peak, trouble: { conversations: alone ? [alone] : batch, what, after: begun } }
  }
  const what = await notGivenBack(subject, before)
  return {
    conversations: begun,
    ends,
    peak,
    ...(what !== undefined && { trouble: { conversations: [], what, after: begun } }),
  }
}

/** Hold these conversations at once; what is wrong then, if anything. */
export async function wrongAfter(
  subject: Subject,
  batch: readonly Conversation[],
  random: Random,
  memoryBefore: number,
  ended: (end: End) => void = () => undefined,
  askHonest = true,
): Promise<string | undefined> {
  subject.beginPeak()
  const ends = await Promise.all(batch.map((one) => converse(one, subject.address(one.to), random)))
  ends.forEach(ended)
  const fault = subject.fault()
  if (fault !== undefined) return fault
  const growth = subject.held().peak - memoryBefore
  if (growth > mostGrowth) return `the process took ${Math.round(growth / 2 ** 20)} MB more than before`
  const open = ends.findIndex(({ as }) => as === 'left open')
  if (open >= 0) return `a connection that broke the protocol was not closed`
  return askHonest ? honestlyRefused(subject) : undefined
}

/** What keeps an honest device from its hub, if anything does. */
function honestlyRefused(subject: Subject): Promise<string | undefined> {
  return subject.registerHonestly().then(
    () => subject.fault(),
    (error: unknown) => subject.fault() ?? String(error),
  )
}

/** Which of them does it alone, each tried on a service that has recovered. */
async function culprit(
  subject: Subject,
  batch: readonly Conversation[],
  random: Random,
): Promise<Conversation | undefined> {
  for (const conversation of batch) {
    // Also one that still runs: it may be about to end, and what it holds is not what this conversation made it hold.
    await subject.service.kill9()
    await subject.recover()
    if ((await honestlyRefused(subject)) !== undefined) continue
    const again = await wrongAfter(subject, [conversation], random, subject.held().memory)
    if (again !== undefined) {
      await subject.recover()
      return conversation
    }
  }
  return undefined
}

/** What is still missing when strangers have gone: memory, descriptors, or an honest device's hub. */
export async function notGivenBack(subject: Subject, before: Held): Promise<string | undefined> {
  for (let waited = 0; ; waited += 100) {
    const { memory, descriptors } = subject.held()
    if (descriptors <= before.descriptors + moreDescriptors && memory <= before.memory + mostGrowth) break
    if (waited > settling)
      return `${descriptors} descriptors are open and ${Math.round(memory / 2 ** 20)} MB are held, where it was ${before.descriptors} and ${Math.round(before.memory / 2 ** 20)}`
    await wait(100)
  }
  return honestlyRefused(subject)
}
