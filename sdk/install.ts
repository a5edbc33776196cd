import { createHash } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { succeed } from './command.ts'
import { exclusively } from './exclusive.ts'

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
    await succeed('Installing the official Node SDKs', folder, 'npm', ['ci', '--no-progress', '--loglevel=error'])
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
  const purpose = 'Installing the official Python SDKs'
  const interpreter = await succeed(purpose, folder, 'python3', ['-VV'])
  const wanted = fingerprint(interpreter + (await readFile(requirements, 'utf8')))
  await once('python', wanted, packages, async () => {
    const fresh = join(records, `python.${process.pid}`)
    await rm(fresh, { recursive: true, force: true })
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore']
    await succeed(purpose, folder, 'python3', [...pip, '--target', fresh, '-r', requirements])
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
  await exclusively(`${record}.lock`, async () => {
    if (await standing()) return
    await install()
    await writeFile(record, wanted)
  })
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
