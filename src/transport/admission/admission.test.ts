import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { admission, type AdmittedConnection } from './admission.ts'
import type { Bounds } from './bounds.ts'
import type { TurnedAway } from './turned-away.ts'

const unbounded: Bounds = {
  connections: Infinity,
  localConnections: 0,
  connectionsPerAddress: Infinity,
  connectionsPerNetwork: Infinity,
  unprovenConnections: Infinity,
  unprovenPerAddress: Infinity,
  handshakes: Infinity,
  handshakesPerAddress: Infinity,
  newConnections: { perSecond: 1, most: Infinity },
  failedAttempts: { perSecond: 1, most: Infinity },
  handshakeTimeout: 10_000,
  proofTimeout: 90_000,
  isShared: () => false,
}

/** An admission whose clock stands still, and somebody who connects to it. */
function underTest(bounds: Partial<Bounds>) {
  let now = 1_000_000
  const told: TurnedAway[] = []
  const doors = admission(
    { ...unbounded, ...bounds },
    () => now,
    (what) => told.push(what),
  )
  return {
    doors,
    told,
    pass: (milliseconds: number) => {
      now += milliseconds
      doors.look()
    },
    connect: (address: string): Client => {
      const client = new Client()
      client.connection = doors.accept(client, address)
      client.connection?.comesFrom(address)
      return client
    },
  }
}

class Client {
  bytesRead = 0
  isOpen = true
  connection: AdmittedConnection | undefined
  destroy(): void {
    this.isOpen = false
    // As a socket: it hears of its own end later, here at once.
    this.connection?.closed()
  }
  speak(): this {
    this.bytesRead = 250
    return this
  }
  secure(): this {
    this.speak().connection?.secured()
    return this
  }
  prove(): this {
    this.secure().connection?.proved()
    return this
  }
}

const openOf = (clients: readonly Client[]) => clients.map(({ isOpen }) => isOpen)

describe('at a bound', () => {
  test('the oldest connection without a proof gives way, and a proven one does not', () => {
    const { connect, doors } = underTest({ connections: 3 })
    const clients = [connect('192.0.2.1').prove(), connect('192.0.2.2').secure(), connect('192.0.2.3').secure()]
    clients.push(connect('192.0.2.4'))
    assert.deepEqual(openOf(clients), [true, false, true, true])
    assert.equal(doors.counts().turnedAway.get('connections'), 1)
  })

  test('a newcomer is refused where all are proven', () => {
    const { connect, doors } = underTest({ connections: 2 })
    const proven = [connect('192.0.2.1').prove(), connect('192.0.2.1').prove()]
    assert.equal(connect('198.51.100.1').isOpen, false)
    assert.deepEqual(openOf(proven), [true, true])
    assert.equal(doors.counts().connections.proven, 2)
  })

  test('those of one address displace each other, not whoever has just come from another', () => {
    const { connect } = underTest({ connections: 4 })
    const flood = Array.from({ length: 3 }, () => connect('192.0.2.1'))
    const other = connect('198.51.100.1')
    for (let count = 0; count < 100; count++) flood.push(connect('192.0.2.1'))
    assert.ok(other.isOpen)
    assert.equal(flood.filter(({ isOpen }) => isOpen).length, 3)
    assert.ok(flood.at(-1)?.isOpen)
    connect('203.0.113.1')
    assert.ok(!other.isOpen, 'a newcomer that has nobody of its own displaces the oldest')
  })

  test('those that say nothing displace each other, not one that goes on', () => {
    const { connect } = underTest({ connections: 20 })
    const silent = Array.from({ length: 19 }, () => connect('192.0.2.1'))
    const honest = connect('192.0.2.1').speak()
    for (let count = 0; count < 500; count++) silent.push(connect('192.0.2.1'))
    assert.ok(honest.isOpen, 'in its handshake')
    honest.secure()
    for (let count = 0; count < 500; count++) silent.push(connect('192.0.2.1'))
    assert.ok(honest.isOpen, 'with its handshake done')
    assert.equal(silent.filter(({ isOpen }) => isOpen).length, 19)
  })

  test('those that stop after their handshake displace each other, not a newcomer', () => {
    const { connect } = underTest({ connections: 20 })
    for (let count = 0; count < 40; count++) connect('192.0.2.1').secure()
    const honest = connect('192.0.2.1')
    for (let count = 0; count < 5; count++) connect('192.0.2.1').secure()
    assert.ok(honest.isOpen)
  })

  test('one whose proof was refused goes first', () => {
    const { connect } = underTest({ connections: 3 })
    const [older, failed, newer] = [connect('192.0.2.1'), connect('192.0.2.2').secure(), connect('192.0.2.3')]
    failed.connection?.failed()
    connect('192.0.2.4')
    assert.deepEqual(openOf([older, failed, newer]), [true, false, true])
  })

  test('this machine has some connections of its own', () => {
    const { connect } = underTest({ connections: 2, localConnections: 1 })
    for (let count = 0; count < 2; count++) connect('192.0.2.1').prove()
    assert.equal(connect('192.0.2.1').isOpen, false)
    assert.equal(connect('127.0.0.1').prove().isOpen, true)
    assert.equal(connect('127.0.0.1').isOpen, false)
  })
})

describe('the connections of one address', () => {
  for (const [what, bounds, first, second, other] of [
    ['an IPv4 address', { connectionsPerAddress: 1 }, '192.0.2.1', '::ffff:192.0.2.1', '192.0.2.2'],
    ['an IPv6 network of 64 bits', { connectionsPerAddress: 1 }, '2001:db8::1', '2001:DB8:0:0:1::', '2001:db8:0:1::'],
    ['an IPv4 network of 24 bits', { connectionsPerNetwork: 1 }, '192.0.2.1', '192.0.2.9', '192.0.3.1'],
    ['an IPv6 network of 48 bits', { connectionsPerNetwork: 1 }, '2001:db8::1', '2001:db8:0:7::1', '2001:db8:1::1'],
    ['handshakes', { handshakesPerAddress: 1 }, '192.0.2.1', '192.0.2.1', '192.0.2.2'],
    ['unproven ones', { unprovenPerAddress: 1 }, '192.0.2.1', '192.0.2.1', '192.0.2.2'],
  ] as const) {
    test(`are bounded, and nobody else's: ${what}`, () => {
      const { connect } = underTest(bounds)
      const clients = [connect(other), connect(first), connect(second)]
      assert.deepEqual(openOf(clients), [true, false, true])
    })
  }

  test('are not bounded where strangers share it', () => {
    const { connect } = underTest({ connectionsPerAddress: 1, isShared: (address) => address === '192.0.2.1' })
    assert.deepEqual(openOf([connect('192.0.2.1'), connect('192.0.2.1')]), [true, true])
  })
})

describe('new connections of one address', () => {
  const bounds = { newConnections: { perSecond: 1, most: 3 } }

  test('are refused beyond their rate while none of them says nothing, and taken again later', () => {
    const { connect, pass } = underTest(bounds)
    const clients = Array.from({ length: 4 }, () => connect('192.0.2.1').speak().secure())
    assert.deepEqual(openOf(clients), [true, true, true, false])
    assert.ok(connect('192.0.2.2').isOpen, 'another address')
    pass(1000)
    assert.ok(connect('192.0.2.1').isOpen)
  })

  test('take the place of those that say nothing', () => {
    const { connect } = underTest(bounds)
    const silent = Array.from({ length: 3 }, () => connect('192.0.2.1'))
    assert.ok(connect('192.0.2.1').isOpen)
    assert.deepEqual(openOf(silent), [false, true, true])
  })

  test('take the place of those that send less than a handshake begins with, beside the header of a load balancer', () => {
    const { connect } = underTest(bounds)
    const trickling = Array.from({ length: 3 }, () => connect('192.0.2.1'))
    for (const client of trickling) client.bytesRead = 47
    assert.ok(connect('192.0.2.1').isOpen)
    assert.deepEqual(openOf(trickling), [false, true, true])
    const begun = Array.from({ length: 4 }, () => {
      const client = connect('192.0.2.2')
      client.bytesRead = 48
      return client
    })
    assert.deepEqual(openOf(begun), [true, true, true, false])
    const { doors } = underTest(bounds)
    const behind = Array.from({ length: 4 }, () => {
      const client = new Client()
      client.connection = doors.accept(client, '192.0.2.9')
      client.bytesRead = 107
      client.connection?.comesFrom('192.0.2.1', 107)
      return client
    })
    assert.deepEqual(openOf(behind), [false, true, true, true])
  })

  test('may be ten times as many where somebody proved who they are', () => {
    const { connect, pass } = underTest(bounds)
    connect('192.0.2.1').prove()
    const many = Array.from({ length: 29 }, () => connect('192.0.2.1').secure())
    assert.ok(many.every(({ isOpen }) => isOpen))
    assert.equal(connect('192.0.2.1').isOpen, false)
    pass(60 * 60 * 1000)
    const later = Array.from({ length: 4 }, () => connect('192.0.2.1').secure())
    assert.deepEqual(openOf(later), [true, true, true, false], 'that was long ago')
  })
})

describe('failed attempts of one address', () => {
  const bounds = { failedAttempts: { perSecond: 1, most: 3 } }
  const fail = (client: Client): void => void client.secure().connection?.failed()

  test('shut it out for a while, and nobody else', () => {
    const { connect, pass, doors } = underTest(bounds)
    for (let count = 0; count < 3; count++) fail(connect('192.0.2.1'))
    assert.equal(connect('192.0.2.1').isOpen, false)
    assert.ok(connect('192.0.2.2').isOpen)
    assert.equal(doors.counts().turnedAway.get('failedAttempts'), 1)
    pass(1000)
    assert.ok(connect('192.0.2.1').isOpen)
  })

  test('may be ten times as many where somebody proved who they are, so that one broken device locks nobody out', () => {
    const { connect } = underTest(bounds)
    connect('192.0.2.1').prove()
    for (let count = 0; count < 29; count++) fail(connect('192.0.2.1'))
    assert.ok(connect('192.0.2.1').isOpen)
  })

  test('end a connection on which they go on and on, proven or not', () => {
    const { connect, pass } = underTest(bounds)
    const stranger = connect('192.0.2.1')
    for (let count = 0; count < 4; count++) fail(stranger)
    const known = connect('192.0.2.2').prove()
    for (let count = 0; count < 31; count++) known.connection?.failed()
    pass(999)
    assert.deepEqual(openOf([stranger, known]), [true, true], 'while they are answered')
    for (const client of [stranger, stranger, known]) client.connection?.failed()
    for (let count = 0; count < 10; count++) known.connection?.failed()
    pass(1)
    assert.deepEqual(openOf([stranger, known]), [false, false])
  })

  test('are not those on a proven connection that is left alone', () => {
    const { connect, pass } = underTest(bounds)
    const known = connect('192.0.2.1').prove()
    known.connection?.failed()
    pass(1_000_000)
    assert.ok(known.isOpen)
  })
})

describe('a connection is cut', () => {
  test('when its handshake takes too long, whatever it sends', () => {
    const { connect, pass } = underTest({})
    const clients = [connect('192.0.2.1'), connect('192.0.2.1').speak(), connect('192.0.2.1').secure()]
    pass(9999)
    assert.deepEqual(openOf(clients), [true, true, true])
    pass(1)
    assert.deepEqual(openOf(clients), [false, false, true])
  })

  test('when nobody on it proves who they are, and sooner after a refused proof', () => {
    const { connect, pass } = underTest({})
    const [idle, failed, proven, second] = Array.from({ length: 4 }, () => connect('192.0.2.1').secure())
    failed?.connection?.failed()
    second?.connection?.failed()
    second?.connection?.proved()
    proven?.connection?.proved()
    const clients = [idle, failed, proven, second].flatMap((client) => client ?? [])
    pass(9999)
    failed?.connection?.failed()
    pass(1)
    assert.deepEqual(openOf(clients), [true, false, true, true])
    pass(80_000)
    assert.deepEqual(openOf(clients), [false, false, true, true])
  })

  test('never for being proven and silent', () => {
    const { connect, pass } = underTest({})
    const client = connect('192.0.2.1').prove()
    pass(24 * 60 * 60 * 1000)
    assert.ok(client.isOpen)
  })
})

test('each bound is told of at once, and then with a count once a minute', () => {
  const { connect, pass, told } = underTest({ handshakes: 1 })
  for (let count = 0; count < 5; count++) connect('192.0.2.1')
  pass(1)
  for (let count = 0; count < 7; count++) connect('192.0.2.2')
  pass(1000)
  assert.deepEqual(told, [{ cause: 'handshakes', times: 4, address: '192.0.2.1' }])
  pass(60_000)
  assert.deepEqual(told.filter(({ cause }) => cause === 'handshakes').slice(1), [
    { cause: 'handshakes', times: 7, address: '192.0.2.2' },
  ])
})

test('whatever strangers do, only so much is remembered of them, and what is known of others stays', () => {
  const { connect, doors } = underTest({ newConnections: { perSecond: 1, most: 1 } })
  connect('192.0.2.1').prove().destroy()
  for (let count = 0; count < 35_000; count++) {
    const client = connect(`2001:${(count >> 8).toString(16)}:${(count & 255).toString(16)}::1`)
    client.secure().connection?.failed()
    client.destroy()
  }
  const { origins, connections } = doors.counts()
  assert.ok(origins <= 40_002, `${origins} origins are remembered`)
  assert.deepEqual(connections, { silent: 0, handshake: 0, unproven: 0, failed: 0, proven: 0 })
  assert.deepEqual(openOf([connect('192.0.2.1').secure(), connect('192.0.2.1')]), [true, true], 'it is known still')
})

test('whoever was cut counts no more, though its socket hears of its end later', () => {
  const { doors, pass } = underTest({ connections: 2 })
  const slow = () => {
    const socket = { bytesRead: 250, destroy: () => {} }
    const connection = doors.accept(socket, '192.0.2.1')
    connection?.comesFrom('192.0.2.1')
    connection?.secured()
    return connection
  }
  const clients = Array.from({ length: 4 }, slow)
  assert.ok(clients.every((client) => client !== undefined))
  assert.equal(doors.counts().connections.unproven, 2)
  for (const client of clients) client?.proved()
  assert.deepEqual([doors.counts().connections.unproven, doors.counts().connections.proven], [0, 2])
  for (const client of clients) client?.closed()
  pass(100_000)
  assert.equal(doors.counts().connections.proven, 0)
})
