import { shownUrl } from '../../base/shown-url.ts'
import { Refusal } from '../../model/refusal.ts'
import type { RevocationList } from '../../model/revocation.ts'
import type { ProvisioningService } from '../../model/service.ts'
import { importRevocationList, isNamed } from '../revocation-lists.ts'
import type { EnrollingInstance } from '../../enrollment/enrolling-instance.ts'

type Owner = Pick<EnrollingInstance, 'store' | 'clock'>

/** Fetch a list; rejects with a Refusal if there is no answer, or one that is too long, or the address is not permitted. */
export type FetchList = (url: string) => Promise<Buffer>

/** Milliseconds after which a list that has a URL is fetched again, if its successor is not due before. */
const refreshAfter = 60 * 60 * 1000
/** Instances whose lists are fetched at the same time. */
const abreast = 4

/**
 * Fetch again the lists of every instance that have a URL and are an hour old or overdue, under the rules of an import. A list that cannot be
 * had or used stays as it is: what was revoked remains so. Gives a sentence for each that failed.
 */
export async function refreshRevocationLists(owner: Owner, fetchList: FetchList): Promise<readonly string[]> {
  const services = [...(await owner.store.services.all())]
  const failures: string[] = []
  const work = async () => {
    for (let service = services.shift(); service; service = services.shift()) {
      failures.push(...(await refreshInstance(service, owner, fetchList)))
    }
  }
  await Promise.all(Array.from({ length: abreast }, work))
  return failures
}

/** Sentences about the lists whose successors are overdue, or that were not imported whole. `now` in milliseconds since 1970. */
export async function staleRevocationLists({ store }: Pick<Owner, 'store'>, now: number): Promise<readonly string[]> {
  const services = await store.services.all()
  const said = await Promise.all(
    services.map(async ({ idScope, name: instance }) =>
      (await store.revocationLists.all(idScope)).flatMap((list) => {
        const what = complaintOf(list, now)
        return what === undefined ? [] : [`${instance}: the revocation list ${list.name} ${what}`]
      }),
    ),
  )
  return said.flat()
}

function isDue({ lastUpdatedDateTimeUtc, nextUpdate, incomplete }: RevocationList, now: number): boolean {
  const age = now - Date.parse(lastUpdatedDateTimeUtc)
  // A time to come is from before the clock was set back, and tells nothing.
  const isOld = age < 0 || age >= refreshAfter
  return isOld || incomplete !== undefined || (nextUpdate !== undefined && Date.parse(nextUpdate) <= now)
}

function complaintOf({ incomplete, nextUpdate }: RevocationList, now: number): string | undefined {
  if (incomplete) return 'was not imported to its end: import it again'
  if (nextUpdate === undefined || Date.parse(nextUpdate) > now) return undefined
  return `should have been followed by another on ${nextUpdate}: what it revoked stays revoked, what was since is not known`
}

async function refreshInstance(
  { idScope, name: instance }: ProvisioningService,
  { store, clock }: Owner,
  fetchList: FetchList,
): Promise<readonly string[]> {
  const failures: string[] = []
  const lists = await store.revocationLists.all(idScope)
  // A delta may be one of a list that is only fetched now.
  const inOrder = [...lists.filter(({ base }) => !base), ...lists.filter(({ base }) => base)]
  for (const list of inOrder) {
    const { name, url } = list
    if (url === undefined || !isDue(list, clock())) continue
    try {
      const bytes = await fetchList(url)
      // What was forgotten meanwhile stays forgotten.
      if (!(await store.revocationLists.all(idScope)).some((list) => isNamed(list, name))) continue
      await importRevocationList(name, bytes, url, { idScope, store, clock })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      failures.push(
        `${instance}: the revocation list ${name} could not be renewed from ${shownUrl(url)}: ${error.detail}`,
      )
    }
  }
  return failures
}
