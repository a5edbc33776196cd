import type { Monotonic } from '../../base/time.ts'
import type { Standing } from '../../base/peer.ts'
import { isLocal, originOf, type Origin } from '../../base/origin.ts'
import { knownFor, meetable, rateFor, type Bounds, type TurnAwayCause } from './bounds.ts'
import { Scope, type Stage } from './connection-scope.ts'
import { Scopes } from './scopes.ts'
import { turnedAway, type TurnedAway } from './turned-away.ts'

/** What admission asks of a socket. */
export interface Connectable {
  readonly bytesRead: number
  readonly destroy: () => unknown
}

/** One connection, from its acceptance to its end. */
export interface AdmittedConnection extends Standing {
  /**
   * Say for whom it is counted, and how many bytes came before the client's own; false if it may not come in: it is destroyed
   * then.
   */
  readonly comesFrom: (remoteAddress: string, preface?: number) => boolean
  /** TLS stands. */
  readonly secured: () => void
  /** To be called when its socket has closed. */
  readonly closed: () => void
}

/** Who may be connected to one listener. */
export interface Admission {
  /** Take in a socket that was just accepted from this peer; undefined if there is no room: it is destroyed then. */
  readonly accept: (socket: Connectable, peerAddress: string) => AdmittedConnection | undefined
  /** Destroy those whose time is over, and tell of what was turned away. To be called every second or so. */
  readonly look: () => void
  readonly counts: () => Counts
}

export interface Counts {
  readonly connections: Readonly<Record<Stage, number>>
  /** Connections that were refused, displaced or cut, since the start. */
  readonly turnedAway: ReadonlyMap<TurnAwayCause, number>
  /** Addresses and networks that are remembered. */
  readonly origins: number
}

interface Held {
  readonly socket: Connectable
  stage: Stage
  /** When it came to its stage; a handshake is counted from the beginning of the connection. */
  since: number
  /** Bytes that a load balancer sent before the client's own. */
  preface: number
  origin?: Origin
  address?: Scope<Held>
  network?: Scope<Held>
  gone: boolean
}

/** Scopes that a newcomer is about to come into. */
type Entered = { readonly [of in 'everybody' | 'network' | 'address']?: Scope<Held> }

/** Those of the address that a newcomer connects from. */
type Own = Scope<Held> | undefined

/** Addresses and as many networks that have no connection, of those that are known and of those that are not. */
const mostRemembered = 20_000
/** Milliseconds from a refused proof until its connection is cut, unless a good one comes. */
const afterFailure = 10_000
/** The same where its address fails too often: as long as the answer takes to be sent. */
const untilAnswered = 1000
/** Bytes. Who has sent less has not begun a handshake, whatever it is. [RFC 5246 §7.4.1.2] */
const shortestHello = 48

/**
 * Bound the connections of a listener, before anything is spent on them. At a bound, a newcomer takes the place of one that has
 * waited long without proving anything; who has proved who they are is never displaced. The newcomer is refused only where
 * there is nobody to displace, or where its address does too much. Both are cut without a word: an answer would cost the
 * handshake that is to be saved.
 */
export function admission(bounds: Bounds, monotonic: Monotonic, tell: (told: TurnedAway) => void): Admission {
  const everybody = new Scope<Held>()
  const addresses = new Scopes<Held>(mostRemembered)
  const networks = new Scopes<Held>(mostRemembered)
  const turned = turnedAway(monotonic, tell)

  function accept(socket: Connectable, peerAddress: string): AdmittedConnection | undefined {
    const held: Held = { socket, stage: 'silent', since: monotonic(), preface: 0, gone: false }
    const local = isLocal(peerAddress) ? bounds.localConnections : 0
    const own = bounds.isShared(peerAddress) ? undefined : addresses.live(originOf(peerAddress).address)
    if (!hasRoom(held, { everybody }, { more: local, own })) return undefined
    everybody.add(held, held.stage)
    return {
      comesFrom: (remoteAddress, preface = 0) => {
        held.preface = preface
        return comesFrom(held, remoteAddress)
      },
      secured: () => move(held, 'unproven'),
      proved: () => proved(held),
      failed: () => failed(held),
      isProven: () => held.stage === 'proven',
      closed: () => release(held),
    }
  }

  function comesFrom(held: Held, remoteAddress: string): boolean {
    const origin = (held.origin = originOf(remoteAddress))
    if (held.gone || bounds.isShared(remoteAddress)) return !held.gone
    const [address, network] = [addresses.enter(origin.address), networks.enter(origin.network)]
    const admitted = mayCome(held, address) && hasRoom(held, { address, network })
    if (admitted) {
      // Whoever was displaced may have been the last of the scope, which was left with that.
      held.address = addresses.enter(origin.address)
      held.network = networks.enter(origin.network)
      for (const scope of [held.address, held.network]) scope.add(held, held.stage)
    } else {
      addresses.leave(origin.address)
      networks.leave(origin.network)
      release(held)
    }
    return admitted
  }

  /** Whether the address does not do too much. One of a flood that says nothing gives way to whoever may have something to say. */
  function mayCome(held: Held, address: Scope<Held>): boolean {
    const now = monotonic()
    if (address.failures.isFull(now, rateAt(address, 'failedAttempts'))) return refuse(held, 'failedAttempts')
    const rate = rateAt(address, 'newConnections')
    const tooMany = address.arrivals.isFull(now, rate) && !displace(address, ['silent'], 'newConnections')
    if (tooMany) return refuse(held, 'newConnections')
    address.arrivals.pour(now, rate)
    return true
  }

  function rateAt(address: Scope<Held>, cause: 'failedAttempts' | 'newConnections') {
    return rateFor(bounds[cause], monotonic() - address.provedAt < knownFor)
  }

  /**
   * Whether there is room for one more; it is made where that is possible. Where all together are too many, one of the newcomer's own
   * address gives way first: so a flood from one address displaces itself, and not whoever has just come from another.
   */
  function hasRoom(newcomer: Held, entered: Entered, { more = 0, own }: { more?: number; own?: Own } = {}): boolean {
    return meetable.every(({ cause, of, counted }) => {
      const scope = entered[of]
      if (!scope || scope.count(counted) < bounds[cause] + (cause === 'connections' ? more : 0)) return true
      return (own && displace(own, counted, cause)) || displace(scope, counted, cause) || refuse(newcomer, cause)
    })
  }

  function displace(scope: Scope<Held>, stages: readonly Stage[], cause: TurnAwayCause): boolean {
    hear(scope)
    const first = scope.first(stages)
    if (first) cut(first, cause)
    return first !== undefined
  }

  /** TLS reads from the socket below it unseen, except for the number of bytes. */
  function hear(scope: Scope<Held>): void {
    for (const held of scope.in('silent')) {
      if (isSilent(held)) return
      move(held, 'handshake', held.since)
    }
  }

  function isSilent({ socket, preface }: Held): boolean {
    return socket.bytesRead - preface < shortestHello
  }

  function refuse(held: Held, cause: TurnAwayCause): false {
    cut(held, cause)
    return false
  }

  function cut(held: Held, cause: TurnAwayCause): void {
    turned.note(cause, held.origin?.address)
    release(held)
    held.socket.destroy()
  }

  function proved(held: Held): void {
    if (held.address) held.address.provedAt = monotonic()
    if (held.stage !== 'proven') move(held, 'proven')
  }

  function failed(held: Held): void {
    const { address, stage } = held
    address?.failures.pour(monotonic(), rateAt(address, 'failedAttempts'))
    const isTooMuch = address?.failures.isFull(monotonic(), rateAt(address, 'failedAttempts'))
    if (stage === 'unproven' || (stage === 'proven' && isTooMuch)) move(held, 'failed')
  }

  function move(held: Held, stage: Stage, since = monotonic()): void {
    if (held.gone) return
    for (const scope of scopesOf(held)) {
      scope.remove(held, held.stage)
      scope.add(held, stage)
    }
    Object.assign(held, { stage, since })
  }

  function release(held: Held): void {
    if (held.gone) return
    held.gone = true
    for (const scope of scopesOf(held)) scope.remove(held, held.stage)
    if (!held.address || !held.origin) return
    addresses.leave(held.origin.address)
    networks.leave(held.origin.network)
  }

  function scopesOf({ address, network }: Held): Scope<Held>[] {
    return address && network ? [everybody, address, network] : [everybody]
  }

  function look(): void {
    const now = monotonic()
    const cutThose = (stage: Exclude<Stage, 'proven'>, cause: TurnAwayCause, isOver: (held: Held) => boolean) => {
      for (const held of everybody.in(stage)) if (isOver(held)) cut(held, cause)
    }
    for (const held of everybody.in('silent')) if (!isSilent(held)) move(held, 'handshake', held.since)
    for (const stage of ['silent', 'handshake'] as const) {
      cutThose(stage, 'handshakeTimeout', ({ since }) => now - since >= bounds.handshakeTimeout)
    }
    cutThose('unproven', 'proofTimeout', ({ since }) => now - since >= bounds.proofTimeout)
    cutThose('failed', 'failedAttempts', ({ since, address }) => {
      const isTooMuch = address?.failures.isFull(now, rateAt(address, 'failedAttempts'))
      return now - since >= (isTooMuch ? untilAnswered : afterFailure)
    })
    turned.tellWhatIsDue()
  }

  return {
    accept,
    look,
    counts: () => ({
      connections: {
        silent: everybody.count(['silent']),
        handshake: everybody.count(['handshake']),
        unproven: everybody.count(['unproven']),
        failed: everybody.count(['failed']),
        proven: everybody.count(['proven']),
      },
      turnedAway: turned.totals,
      origins: addresses.size + networks.size,
    }),
  }
}
