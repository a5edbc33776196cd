import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ensureNodeSdk } from '../../sdk/install.ts'

const root = join(import.meta.dirname, '..', '..')
const network = '127.41.5'
const addresses = [1, 2, 3].map((host) => `${network}.${host}`)

let folder: string

before(async () => {
  await ensureNodeSdk()
  folder = await mkdtemp(join(tmpdir(), 'hubward-scripts-'))
})
const started: Script[] = []
after(async () => {
  for (const { child } of started) child.kill()
  await Promise.all(started.map(({ ended }) => ended))
  await rm(folder, { recursive: true })
})

const serving = [
  '--listen',
  addresses.join(','),
  '--device-host',
  addresses[0]!,
  '--hub-names',
  addresses.slice(1).join(','),
]

test('a signal to npm start ends the service in good order', async () => {
  const data = join(folder, 'start')
  await endsInGoodOrder(npm('start', '--', '--data', data, ...serving), data)
})

test('a signal to npm run hubward -- serve ends the service in good order', async () => {
  const data = join(folder, 'serve')
  await endsInGoodOrder(npm('run', 'hubward', '--', '--data', data, 'serve', ...serving), data)
})

test('npm run device takes --data, and a signal ends it', async () => {
  const data = join(folder, 'device')
  const service = npm('start', '--', '--data', data, ...serving)
  await ready(service, data)
  const done = npm('run', 'device', '--', '--data', data)
  assert.equal(await done.ended, 0, done.told())
  assert.match(done.told(), /read its twin: {"hello":"from Hubward"/)

  const interrupted = npm('run', 'device', '--', join(data, 'connection.env'), 'device-7')
  await until(() => interrupted.told().includes('device-7 is enrolled'), interrupted)
  interrupted.child.kill('SIGTERM')
  assert.notEqual(await interrupted.ended, 0)

  service.child.kill('SIGTERM')
  await service.ended
})

test('npm run device says in a sentence that there is no service, or none that answers', async () => {
  const absent = npm('run', 'device', '--', '--data', join(folder, 'nowhere'))
  assert.equal(await absent.ended, 1)
  assert.match(absent.told(), /connection\.env is not there: .*npm start.*--data DIR/)
  assert.doesNotMatch(absent.told(), /ENOENT/)
})

for (const script of ['start', 'device', 'demo'])
  test(`npm run ${script} -- --help tells the options of the service, and starts nothing`, async () => {
    const helped = npm('run', script, '--', '--help')
    assert.equal(await helped.ended, 0)
    assert.match(helped.told(), new RegExp(`npm (run )?${script} -- \\[options\\]`))
    assert.match(helped.told(), /--device-host VALUE +The name that devices .* \(localhost\)/)
  })

for (const script of ['start', 'device', 'demo'])
  test(`npm run ${script} refuses an option that the service does not have`, async () => {
    const refused = npm('run', script, '--', '--datta', 'x')
    assert.equal(await refused.ended, 1)
    assert.match(refused.told(), /--datta/)
    assert.doesNotMatch(refused.told(), /^ +at /m, 'a sentence, not a stack')
  })

test('the demo refuses the options that it chooses itself', async () => {
  const refused = npm('run', 'demo', '--', '--data', 'x', '--mqtt-port', '1883')
  assert.equal(await refused.ended, 1)
  assert.match(refused.told(), /The demo chooses --data, --mqtt-port/)
})

test('no script has a shell between npm and the program that it runs', async () => {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { scripts: object }
  const running = Object.entries(scripts).filter(
    ([, script]) => /^(exec )?node /.test(script) && !script.includes('&&'),
  )
  assert.ok(running.length >= 8)
  for (const [name, script] of running) assert.match(script, /^exec node /, name)
})

interface Script {
  readonly child: ChildProcess
  readonly told: () => string
  readonly ended: Promise<number | null>
}

function npm(...args: string[]): Script {
  const child = spawn('npm', args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let told = ''
  child.stdout.on('data', (chunk: Buffer) => (told += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (told += chunk.toString()))
  // When whatever it started has let go of its output, too.
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const script = { child, told: () => told, ended }
  started.push(script)
  return script
}

async function endsInGoodOrder(script: Script, data: string): Promise<void> {
  await ready(script, data)
  script.child.kill('SIGTERM')
  await script.ended
  assert.match(script.told(), /stopping: what is under way is finished first/)
  assert.equal(existsSync(join(data, 'connection.env')), false)
  assert.equal(await answers(), false)
}

async function ready(script: Script, data: string): Promise<void> {
  await until(() => existsSync(join(data, 'connection.env')), script)
  assert.equal(await answers(), true)
}

async function until(condition: () => boolean, { child, told }: Script): Promise<void> {
  for (const limit = Date.now() + 60_000; !condition(); await wait(50)) {
    if (child.exitCode !== null || Date.now() > limit) throw new Error(`It did not come so far: ${told()}`)
  }
}

function answers(): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(443, addresses[0]!)
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}
