import assert from 'node:assert/strict'
import type * as evaluateModule from '../../../src/wire/query/evaluate.ts'
import type { Dialect } from '../../../src/wire/query/parse.ts'
import type * as queryTokensModule from '../../../src/wire/query/tokens.ts'
import type * as parseModule from '../../../src/wire/query/parse.ts'
import type * as ipFilterModule from '../../../src/model/ip-filter.ts'
import type * as routerModule from '../../../src/wire/http/router.ts'
import type * as routeModule from '../../../src/transport/management-api/route.ts'
import type * as networksModule from '../../../src/base/networks.ts'
import type * as proxyProtocolModule from '../../../src/wire/proxy-protocol.ts'
import type * as credentialModule from '../../../src/wire/tpm/make-credential.ts'
import type * as readerModule from '../../../src/wire/tpm/structure-reader.ts'
import type * as storageKeyModule from '../../../src/wire/tpm/storage-key.ts'
import type { Random } from '../engine/random.ts'
import { orRefused, type Load, type MakeTargets, type Target } from '../engine/target.ts'

/** Small languages: queries of enrollments and of a hub's devices, paths, address masks, PROXY headers, TPM structures. */
export const wordTargets: MakeTargets = async (load) =>
  Promise.all([
    query(load, 'query', membersOf),
    query(load, 'hub-query', 'any'),
    path(load),
    ipFilter(load),
    proxy(load),
    storageKey(load),
  ])

const clauses = [
  'SELECT *',
  'FROM enrollments',
  'WHERE',
  'GROUP BY',
  'COUNT()',
  'AS a',
  'AND',
  'OR',
  'NOT',
  'IN [',
  ']',
  '(',
  ')',
  ',',
  '.',
  "'x'",
  '"y"',
  '1',
  '-2.5e3',
  'null',
  'true',
  '=',
  '<>',
  '>=',
  'registrationId',
  'tags.a',
  "STARTSWITH(a, 'b')",
  'is_defined(',
  "['",
  'devices',
  'tags["b"]',
]

function sentence(random: Random): Buffer {
  if (random.once(8))
    return Buffer.from(
      `SELECT * FROM devices WHERE ${random.pick(['(', 'NOT ', 'a.', 'a = 1 AND '])}`.repeat(1) +
        random.pick(['(', 'NOT ', 'a.', 'a=1 OR ']).repeat(random.size(1500)),
    )
  const condition = () =>
    `${random.pick(['registrationId', 'tags.a', 'a'])} ${random.pick(['=', '!=', '<', 'IN'])} ${random.pick(["'x'", '1', "['a','b']", 'null', random.text()])}`
  if (random.once(2))
    return Buffer.from(
      `SELECT ${random.pick(['*', 'a, b.c', 'COUNT() AS n, a'])} FROM ${random.pick(['enrollments', 'devices'])} WHERE ${condition()} ${random.pick(['AND', 'OR'])} ${random.pick(['', 'NOT '])}(${condition()})${random.pick(['', ' GROUP BY a'])}`,
    )
  return Buffer.from(random.many(30, () => random.pick([...clauses, random.text(10)])).join(' '))
}

const membersOf = { registrationId: 'value', tags: 'any', a: 'value', b: { c: 'value' }, n: 'value' } as const
const record = { registrationId: 'dev', tags: { a: 'x', b: [1, null] }, etag: 'e', n: 7 }

const dialect: Omit<Dialect, 'members'> = {
  longest: 4096,
  collections: ['enrollments', 'devices', 'devices.modules'],
  functions: ['is_defined', 'is_null', 'startswith', 'endswith'],
  columns: true,
}

async function query(load: Load, name: string, members: Dialect['members']): Promise<Target> {
  const { parseQuery, isAggregate } = await load<typeof parseModule>('wire/query/parse.ts')
  const { matches, project } = await load<typeof evaluateModule>('wire/query/evaluate.ts')
  const { QueryFault } = await load<typeof queryTokensModule>('wire/query/tokens.ts')
  return {
    name,
    dictionary: clauses,
    generate: sentence,
    check: (input) => {
      const parsed = orRefused([QueryFault], () => parseQuery(input.toString(), { ...dialect, members }))
      if (!parsed) return
      assert.equal(typeof matches(parsed, record), 'boolean')
      if (!isAggregate(parsed)) JSON.stringify(project(parsed, record))
    },
  }
}

async function path(load: Load): Promise<Target> {
  const { instancePath } = await load<typeof routeModule>('transport/management-api/route.ts')
  const { routerOf } = await load<typeof routerModule>('wire/http/router.ts')
  const good = '/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/provisioningServices/i'
  const router = routerOf(
    ['', '/listkeys', '/keys/:key/listkeys'].map((rest) => ({ method: 'GET' as const, path: instancePath + rest })),
    { idleSlashes: 'all' },
  )
  return {
    name: 'path',
    dictionary: [good, '/', '%2F', '%', '..', '__proto__', ':instance'],
    generate: (random) =>
      Buffer.from(
        good
          .split('/')
          .map((part) => (random.once(10) ? random.text() : part))
          .join('/') + random.pick(['', '/', '/listkeys', '/keys/__proto__/listkeys']),
      ),
    check: (input) => {
      const found = router.find('GET', input.toString('latin1'))
      if (typeof found === 'string' || 'methods' in found) return
      for (const value of Object.values<unknown>(found.parameters)) assert.equal(typeof value, 'string')
    },
  }
}

async function ipFilter(load: Load): Promise<Target> {
  const { isIpMask, admitsAddress } = await load<typeof ipFilterModule>('model/ip-filter.ts')
  const { networks } = await load<typeof networksModule>('base/networks.ts')
  const addresses = [
    '10.1.2.3',
    '255.255.255.255',
    '::1',
    'fe80::1',
    '::ffff:10.0.0.1',
    '2001:db8::',
    '010.1.1.1',
    '::1%lo',
  ]
  return {
    name: 'ip-filter',
    dictionary: [...addresses, '/0', '/33', '/129', '::ffff:', '%lo'],
    generate: (random) =>
      Buffer.from(
        `${random.pick([...addresses, random.text()])}${random.pick(['', '/', '/8', '/32', '/128', '/999', `/${random.text(4)}`])}`,
      ),
    check: (input) => {
      const mask = input.toString()
      if (!isIpMask(mask)) return
      const rules = [{ filterName: 'r', ipMask: mask, action: 'Accept', target: 'all' }] as const
      for (const address of [...addresses, mask, '']) {
        assert.equal(typeof admitsAddress({ ipFilterRules: rules } as never, address, 'deviceApi'), 'boolean')
        networks([mask])(address)
      }
    },
  }
}

async function proxy(load: Load): Promise<Target> {
  const { readProxyHeader } = await load<typeof proxyProtocolModule>('wire/proxy-protocol.ts')
  return {
    name: 'proxy-header',
    dictionary: [
      'PROXY TCP4 ',
      'PROXY UNKNOWN\r\n',
      '\r\n\r\n\0\r\nQUIT\n',
      Buffer.from([0x21, 0x11, 0, 12]),
      Buffer.from([0x21, 0x21, 0, 36]),
    ],
    generate: proxyHeader,
    check: (input) => {
      const header = readProxyHeader(input)
      if (typeof header === 'string') return
      assert.ok(header.length <= input.length, 'a header is no longer than what came')
      // The header is found when its last byte is there, and not before.
      assert.equal(readProxyHeader(input.subarray(0, header.length - 1)), 'incomplete')
      assert.deepEqual(readProxyHeader(input.subarray(0, header.length)), header)
    },
  }
}

/** A PROXY header of either version, true as a rule. */
export function proxyHeader(random: Random): Buffer {
  const address = () => random.pick(['10.1.2.3', '127.0.0.1', '::1', 'fe80::1', random.text(20)])
  const port = () => random.pick(['1', '65535', '65536', '080', random.text(6)])
  if (random.once(2))
    return Buffer.from(
      `PROXY ${random.pick(['TCP4', 'TCP6', 'UNKNOWN', random.text(5)])} ${address()} ${address()} ${port()} ${port()}\r\n`,
      'latin1',
    )
  const rest = random.bytes(random.pick([12, 36, 216, random.size(3000)]))
  const head = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0', 'latin1')
  head[12] = random.pick([0x20, 0x21, 0x21, 0x21, 0x2f, 0x11])
  head[13] = random.pick([0x11, 0x21, 0x31, 0x00, 0xff])
  head.writeUInt16BE(random.once(8) ? random.edge() % 65_536 : rest.length, 14)
  return Buffer.concat([head, rest])
}

async function storageKey(load: Load): Promise<Target> {
  const { parseStorageKey } = await load<typeof storageKeyModule>('wire/tpm/storage-key.ts')
  const { makeCredential } = await load<typeof credentialModule>('wire/tpm/make-credential.ts')
  const { MalformedTpmStructure } = await load<typeof readerModule>('wire/tpm/structure-reader.ts')
  // The template that endorsement keys are made from: RSA 2048, AES 128 CFB. [TCG EK Credential Profile, B.3.3]
  const template =
    '0001000b000300b20020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa00060080004300100800000000000100'
  return {
    name: 'tpm-storage-key',
    dictionary: [template.slice(0, 16), '00060080', '0043', '0010', '0800', '00010001', '0100'].map((hex) =>
      Buffer.from(hex, 'hex'),
    ),
    generate: (random) => {
      const area = Buffer.concat([Buffer.from(template, 'hex'), random.bytes(256)])
      area[area.length - 1]! |= 1
      const head = Buffer.alloc(2)
      head.writeUInt16BE(random.once(6) ? random.int(0, 65_535) : area.length)
      if (random.once(2)) area[random.int(0, 60)] = random.int(0, 255)
      return Buffer.concat([head, area])
    },
    check: (input) => {
      const key = orRefused([MalformedTpmStructure], () => parseStorageKey(input))
      // A key that is taken is encrypted to; whatever its number is, that is no fault of ours.
      if (key) makeCredential(key, key.name, Buffer.alloc(32), (length) => Buffer.alloc(length, 1))
    },
  }
}
