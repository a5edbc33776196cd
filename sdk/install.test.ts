import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

// A copy of sdk/ with the real npm, and package registries that do not answer.
let folder: string
let silentRegistry: string

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hubward-sdk-'))
  opened.defer(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'node', 'node_modules'), { recursive: true })
  const files = [
    'command.ts',
    'exclusive.ts',
    'install.ts',
    'node/package.json',
    'node/package-lock.json',
    'node/.npmrc',
  ]
  for (const file of files) await cp(join(import.meta.dirname, file), join(folder, file))
  await writeFile(join(folder, 'node', 'node_modules', 'marker'), 'what was installed before')
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')

  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.on('connection', (socket) => socket.on('error', () => undefined))
  opened.defer(() => void server.close())
  silentRegistry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})

test('without a network the installation says that it needs one, and changes nothing', async () => {
  const { child, told } = install('http://127.0.0.1:1/')
  await once(child, 'close')
  assert.notEqual(child.exitCode, 0)
  assert.match(told(), /^Installing the official Node SDKs into sdk\//)
  assert.match(told(), /needs a network, this once/)
  await assertUntouched()
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  test(`${signal} ends an installation and leaves nothing behind`, async () => {
    const { child } = install(silentRegistry)
    await whileInstalling()
    child.kill(signal)
    await once(child, 'close')
    assert.equal(child.signalCode, signal)
    await assertUntouched()
  })

test('what a killed installation left is removed by the next one', async () => {
  const { child } = install(silentRegistry)
  const [left] = await whileInstalling()
  child.kill('SIGKILL')
  await once(child, 'close')
  assert.ok((await leftovers()).includes(left!))
  await once(install('http://127.0.0.1:1/').child, 'close')
  await assertUntouched()
})

function install(registry: string): { child: ChildProcess; told: () => string } {
  const program = `import { ensureNodeSdk } from ${JSON.stringify(join(folder, 'install.ts'))}; await ensureNodeSdk()`
  const npm = { npm_config_registry: registry, npm_config_fetch_retries: '0', npm_config_cache: join(folder, 'cache') }
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, ...npm },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let told = ''
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()))
  return { child, told: () => told }
}

/** Waits until npm has its files, and gives the folders that are being filled. */
async function whileInstalling(): Promise<string[]> {
  for (;;) {
    const folders = await leftovers()
    const filled = await Promise.all(folders.map((name) => readdir(join(folder, '.installed', name))))
    if (filled.some((files) => files.length === 3)) return folders
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function leftovers(): Promise<string[]> {
  const files = await readdir(join(folder, '.installed')).catch(() => [])
  return files.filter((name) => /^node\.\d+$/.test(name))
}

async function assertUntouched(): Promise<void> {
  assert.deepEqual(await leftovers(), [])
  const marker = await readFile(join(folder, 'node', 'node_modules', 'marker'), 'utf8')
  assert.equal(marker, 'what was installed before')
}
