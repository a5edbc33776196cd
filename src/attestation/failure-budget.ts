import { registrationKey } from '../model/identifiers.ts'
import { Refusal } from '../model/refusal.ts'
import type { Monotonic } from '../base/time.ts'
import { originOf } from '../base/origin.ts'
import type { Presented } from './attestation.ts'

/**
 * What attempts that fail may cost. A trial is one group that is looked at for one device: four HMACs, some 10 to 25
 * microseconds. Who proves to be a device has its trials back, so only failures count.
 */
export interface FailureBudget {
  /**
   * Reserve the trials of one attempt. Refuses with Throttled, and when to come back, if the failures of the device at its
   * address, of the address, of the instance or of the node have cost too much lately.
   */
  readonly reserve: (attempt: Attempt, trials: number) => Reservation
  /** Charge what a device at its address may ask for again and again without proving anything; refuses likewise. */
  readonly charge: (attempt: Attempt, trials: number) => void
}

export interface Reservation {
  /** Nothing of this device at this address had failed lately. */
  readonly first: boolean
  /** The attempt was an honest one. */
  readonly giveBack: () => void
}

type Attempt = Pick<Presented, 'service' | 'registrationId' | 'remoteAddress'>

/** Seconds' worth that may be owed at once. */
const burst = 10
/** Of the node's trials, how many an instance, an address, and a device at its address may take. */
const [ofInstance, ofAddress, ofDevice] = [1 / 2, 1 / 4, 1 / 20]
/** Addresses and devices that are remembered; whoever asked longest ago is forgotten. */
const mostDebtors = 20_000
const [soonest, latest] = [2, 60]

/** A budget of so many trials per second for the node, of which its instances and its strangers have their parts. */
export function failureBudget(trialsPerSecond: number, monotonic: Monotonic): FailureBudget {
  const node = debts(trialsPerSecond, monotonic)
  const instances = debts(trialsPerSecond * ofInstance, monotonic)
  const addresses = debts(trialsPerSecond * ofAddress, monotonic)
  const devices = debts(trialsPerSecond * ofDevice, monotonic)

  return {
    reserve: ({ service, registrationId, remoteAddress }, trials) => {
      const address = originOf(remoteAddress).address
      const device = [service.idScope, registrationKey(registrationId), address].join('\0')
      // The narrowest first, so that whoever is stopped by it takes nothing from the others.
      const owed = [devices.of(device), addresses.of(address), instances.of(service.idScope), node.of('')]
      for (const debt of owed) refuseIfSpent(debt)
      const first = owed[0]?.settled() ?? true
      for (const debt of owed) debt.add(trials)
      return { first, giveBack: () => owed.forEach((debt) => debt.add(-trials)) }
    },
    charge: ({ service, registrationId, remoteAddress }, trials) => {
      const debt = devices.of(
        [service.idScope, registrationKey(registrationId), originOf(remoteAddress).address].join('\0'),
      )
      refuseIfSpent(debt)
      debt.add(trials)
    },
  }
}

/** Nothing is limited: for whoever looks at one attempt and not at a network. */
export const unlimitedBudget: FailureBudget = {
  reserve: () => ({ first: true, giveBack: () => {} }),
  charge: () => {},
}

function refuseIfSpent(debt: Debt): void {
  const seconds = debt.secondsToWait()
  if (seconds === 0) return
  const found = 'too many attempts that proved nothing, of this device, its address, its instance or in all'
  throw new Refusal('Throttled', found, { retryAfter: Math.min(Math.max(Math.ceil(seconds), soonest), latest) })
}

interface Debt {
  readonly add: (trials: number) => void
  readonly settled: () => boolean
  /** Until no more is owed than may be; 0: now. */
  readonly secondsToWait: () => number
}

/** What each of many debtors owes, paid off by so many trials a second. One that is paid off is as good as forgotten. */
function debts(perSecond: number, monotonic: Monotonic): { readonly of: (debtor: string) => Debt } {
  /** When the debt will be paid off, in the order of asking. */
  const paidOff = new Map<string, number>()
  const interval = 1000 / perSecond
  return {
    of: (debtor) => {
      const left = () => Math.max(0, (paidOff.get(debtor) ?? -Infinity) - monotonic())
      return {
        add: (trials) => {
          const until = monotonic() + left() + trials * interval
          paidOff.delete(debtor)
          if (until > monotonic()) paidOff.set(debtor, until)
          if (paidOff.size > mostDebtors) paidOff.delete(paidOff.keys().next().value ?? '')
        },
        settled: () => left() === 0,
        secondsToWait: () => Math.max(0, left() / 1000 - burst),
      }
    },
  }
}
