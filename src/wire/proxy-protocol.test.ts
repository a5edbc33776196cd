import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readProxyHeader } from './proxy-protocol.ts'

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

function binary(versionAndCommand: number, family: number, rest: Buffer): Buffer {
  const head = Buffer.from([versionAndCommand, family, rest.length >> 8, rest.length & 255])
  return Buffer.concat([signature, head, rest])
}

const hello = Buffer.from('160301', 'hex')
const good: [string, Buffer, string | undefined][] = [
  ['v1 over IPv4', Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 5000 443\r\n'), '203.0.113.7'],
  ['v1 over IPv6', Buffer.from('PROXY TCP6 2001:db8::7 ::1 5000 443\r\n'), '2001:db8::7'],
  ['v1 of an unknown source', Buffer.from('PROXY UNKNOWN\r\n'), undefined],
  ['v2 over IPv4', binary(0x21, 0x11, Buffer.from('cb0071070a000001138801bb', 'hex')), '203.0.113.7'],
  [
    'v2 over IPv6 with an extension',
    binary(0x21, 0x21, Buffer.from('20010db8' + '0'.repeat(22) + '07' + '0'.repeat(31) + '1138801bb04000100', 'hex')),
    '2001:db8::7',
  ],
  ['v2 for the proxy itself', binary(0x20, 0x00, Buffer.alloc(0)), undefined],
]

for (const [name, header, source] of good) {
  test(`a header of ${name} says where the connection came from, and nothing of what follows it`, () => {
    assert.deepEqual(readProxyHeader(Buffer.concat([header, hello])), {
      length: header.length,
      ...(source !== undefined && { source }),
    })
    for (let cut = 0; cut < header.length; cut++) {
      assert.equal(readProxyHeader(header.subarray(0, cut)), 'incomplete', `after ${cut} bytes`)
    }
  })
}

test('what is no header is invalid at the first byte that tells', () => {
  const bad = [
    hello,
    Buffer.from('GET / HTTP/1.1\r\n'),
    Buffer.from('PROXY TCP4 999.0.0.1 10.0.0.1 1 2\r\n'),
    Buffer.from('PROXY TCP4 2001:db8::7 10.0.0.1 1 2\r\n'),
    Buffer.from('PROXY TCP4 10.0.0.1 10.0.0.1 1 65536\r\n'),
    Buffer.from('PROXY TCP4 10.0.0.1\r\n'),
    Buffer.from('PROXY ' + 'x'.repeat(200)),
    binary(0x11, 0x11, Buffer.alloc(12)),
    binary(0x22, 0x11, Buffer.alloc(12)),
    binary(0x21, 0x11, Buffer.alloc(11)),
    binary(0x21, 0x21, Buffer.alloc(35)),
    binary(0x21, 0x11, Buffer.alloc(3000)),
  ]
  for (const bytes of bad) assert.equal(readProxyHeader(bytes), 'invalid', bytes.toString('latin1').slice(0, 40))
})

test('no bytes make the reader fail', () => {
  const start = fc.constantFrom(Buffer.alloc(0), signature, Buffer.from('PROXY '), Buffer.from('PROXY TCP4 '))
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 200 }), (first, rest) => {
      const header = readProxyHeader(Buffer.concat([first, rest]))
      if (typeof header === 'object') assert.ok(header.length <= first.length + rest.length)
    }),
  )
})
