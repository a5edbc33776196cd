import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigurationError, readConfiguration } from './configuration.ts'
import { settings, settingsTable } from './settings.ts'

const file = (content: unknown) => {
  const path = join(mkdtempSync(join(tmpdir(), 'hubward-configuration-')), 'hubward.json')
  writeFileSync(path, JSON.stringify(content))
  return path
}

test('a flag beats the environment, the environment the file, and the file the default', () => {
  const path = file({ retryAfter: 4, shortWait: 40, answerDelay: 60 })
  const environment = { HUBWARD_CONFIG: path, HUBWARD_SHORT_WAIT: '50', HUBWARD_RETRY_AFTER: '5' }
  const read = readConfiguration(['--retry-after', '6'], environment)
  assert.equal(read.retryAfter, 6)
  assert.equal(read.shortWait, 50)
  assert.equal(read.answerDelay, 60)
  assert.equal(read.httpsPort, settings.httpsPort.fallback)
})

test('lists are written with commas, in a file also as arrays', () => {
  assert.deepEqual(readConfiguration(['--hub-names', 'a.example, b.example'], {}).hubNames, ['a.example', 'b.example'])
  const path = file({ hubNames: ['c.example', 'd.example'] })
  assert.deepEqual(readConfiguration(['--config', path], {}).hubNames, ['c.example', 'd.example'])
})

for (const [what, args, environment, expected] of [
  [
    'a number out of its range',
    ['--retry-after', '301'],
    {},
    /retryAfter is "301"; expected a whole number from 1 to 300/,
  ],
  ['text for a number', ['--https-port', 'https'], {}, /httpsPort is "https"; expected a whole number/],
  ['a choice that is none', ['--log', 'xml'], {}, /log is "xml"; expected `text` or `json`/],
  ['an unknown flag', ['--hubs', 'a'], {}, /'--hubs'/],
  [
    'an unknown variable',
    [],
    { HUBWARD_HTTP_PORT: '80' },
    /HUBWARD_HTTP_PORT is not a setting; expected one of .*HUBWARD_HTTPS_PORT/,
  ],
  ['an unknown key in the file', ['--config', file({ hubs: 1 })], {}, /hubs in .* is not a setting; expected one of/],
  ['a file that is not JSON', ['--config', '/dev/null'], {}, /\/dev\/null cannot be read as JSON/],
] as const) {
  test(`${what} is refused with its name and what was expected`, () => {
    assert.throws(
      () => readConfiguration(args, environment),
      (error) => error instanceof ConfigurationError && expected.test(error.message),
    )
  })
}

test('the facts that connection.env exports do not stand in the way of the next start', () => {
  readConfiguration([], {
    HUBWARD_ID_SCOPE: '0ne00000001',
    HUBWARD_HUB_2_CONNECTION_STRING: 'x',
    HUBWARD_DEVICE_HOST: 'h',
  })
})

test('docs/configuration.md shows every setting as it is', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8')
  assert.ok(page.includes(settingsTable()), 'run: node tools/configuration-page.ts')
})
