import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'

const here = import.meta.dirname
const records = join(here, '.installed')

/**
 * The folder whose node_modules holds the official Node SDKs, installed with `npm ci` when it is missing or its lock file
 * changed; any number of processes may call it at once; rejects with one sentence when npm or its registry is missing.
 */
export async function ensureNodeSdk(): Promise<string> {
  const folder = join(here, 'node')
  const modules = join(folder, 'node_modules')
  const wanted = fingerprint(await readFile(join(folder, 'package-lock.json'), 'utf8'))
  await once('node', wanted, modules, async () => {
    await succeed('npm', ['ci', '--no-progress', '--loglevel=error'], folder, 'The official Node SDKs')
  })
  return folder
}

/**
 * The folder to name in PYTHONPATH for the official Python SDKs, installed with pip when it is missing or the
 * requirements or the interpreter changed; safe and failing as `ensureNodeSdk` is.
 */
export async function ensurePythonSdk(): Promise<string> {
  const folder = join(here, 'python')
  const packages = join(folder, 'packages')
  const requirements = join(folder, 'requirements.txt')
  const interpreter = await succeed('python3', ['-VV'], folder, 'The official Python SDKs')
  const wanted = fingerprint(interpreter + (await readFile(requirements, 'utf8')))
  await once('python', wanted, packages, async () => {
    const fresh = `${packages}.partial`
    await rm(fresh, { recursive: true, force: true })
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore']
    await succeed('python3', [...pip, '--target', fresh, '-r', requirements], folder, 'The official Python SDKs')
    await rm(packages, { recursive: true, force: true })
    await rename(fresh, packages)
  })
  return packages
}

/** Runs `install` unless `target` stands and was installed from `wanted`, one process at a time. */
async function once(name: string, wanted: string, target: string, install: () => Promise<void>): Promise<void> {
  const record = join(records, name)
  const standing = async (): Promise<boolean> =>
    (await readFile(record, 'utf8').catch(() => '')) === wanted && (await stat(target).catch(() => null)) !== null
  if (await standing()) return
  await mkdir(records, { recursive: true })
  await alone(`${record}.lock`, async () => {
    if (await standing()) return
    await install()
    await writeFile(record, wanted)
  })
}

/** A database file serves as the lock because the operating system lets go of it when its holder dies. */
async function alone(file: string, work: () => Promise<void>): Promise<void> {
  const lock = new DatabaseSync(file, { timeout: 0 })
  try {
    while (!taken(lock)) await wait(200)
    await work()
  } finally {
    lock.close()
  }
}

function taken(lock: DatabaseSync): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (error instanceof Error && error.message.includes('locked')) return false
    throw error
  }
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function succeed(command: string, args: readonly string[], cwd: string, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let printed = ''
    let complained = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()))
    child.once('error', () =>
      reject(new Error(`${what} need ${command}, which could not be started: is it installed?`)),
    )
    child.once('close', (code) => {
      if (code === 0) return resolve(printed)
      const reason = complained.trim().split('\n').slice(-6).join(' ') || `it ended with ${code}`
      reject(new Error(`${what} could not be installed (${command} ${args.join(' ')}): ${reason}`))
    })
  })
}
