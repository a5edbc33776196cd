import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { succeed } from './command.ts'
import { exclusively } from './exclusive.ts'

const here = import.meta.dirname
const records = join(here, '.installed')

/**
 * The folder whose node_modules holds the official Node SDKs, installed with `npm ci` when it is missing or its lock file
 * changed; any number of processes may call it at once; rejects with one sentence when npm or its registry is missing. An
 * installation tells its progress on standard error; what it replaces stands until it is whole, and a signal leaves nothing behind.
 */
export async function ensureNodeSdk(): Promise<string> {
  const folder = join(here, 'node')
  const modules = join(folder, 'node_modules')
  const wanted = fingerprint(await readFile(join(folder, 'package-lock.json'), 'utf8'))
  const name = 'the official Node SDKs'
  await once({ record: 'node', name, wanted, target: modules }, async (fresh, abort) => {
    for (const file of ['package.json', 'package-lock.json', '.npmrc']) await cp(join(folder, file), join(fresh, file))
    await succeed(`Installing ${name}`, fresh, 'npm', ['ci', '--no-progress', '--loglevel=error'], abort)
    return join(fresh, 'node_modules')
  })
  return folder
}

/**
 * The folder to name in PYTHONPATH for the official Python SDKs, installed with pip when it is missing or the
 * requirements or the interpreter changed; safe, told and failing as `ensureNodeSdk` is.
 */
export async function ensurePythonSdk(): Promise<string> {
  const folder = join(here, 'python')
  const packages = join(folder, 'packages')
  const requirements = join(folder, 'requirements.txt')
  const name = 'the official Python SDKs'
  const purpose = `Installing ${name}`
  const interpreter = await succeed(purpose, folder, 'python3', ['-VV'])
  const wanted = fingerprint(interpreter + (await readFile(requirements, 'utf8')))
  await once({ record: 'python', name, wanted, target: packages }, async (fresh, abort) => {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--root-user-action=ignore']
    await succeed(purpose, folder, 'python3', [...pip, '--target', fresh, '-r', requirements], abort)
    return fresh
  })
  return packages
}

interface Installation {
  readonly record: string
  /** As a person calls it. */
  readonly name: string
  readonly wanted: string
  readonly target: string
}

/** Makes the new files below the folder that it is given, and says where. */
type Install = (fresh: string, abort: AbortSignal) => Promise<string>

/** Puts what `install` makes in the place of `target`, unless that stands and was installed from `wanted`; one process at a time. */
async function once({ record: key, name, wanted, target }: Installation, install: Install): Promise<void> {
  const record = join(records, key)
  const standing = async (): Promise<boolean> =>
    (await readFile(record, 'utf8').catch(() => '')) === wanted && (await stat(target).catch(() => null)) !== null
  if (await standing()) return
  await mkdir(records, { recursive: true })
  await exclusively(`${record}.lock`, async () => {
    if (await standing()) return
    await removeWhatWasKilled(key)
    const fresh = `${record}.${process.pid}`
    await telling(name, () =>
      interruptibly(fresh, async (abort) => {
        const made = await install(fresh, abort)
        await rm(target, { recursive: true, force: true })
        await rename(made, target)
        await writeFile(record, wanted)
      }),
    )
  })
}

/** Nobody else installs this now, so whatever lies there is of a process that could not clean up. */
async function removeWhatWasKilled(key: string): Promise<void> {
  const left = (await readdir(records)).filter((file) => new RegExp(`^${key}\\.\\d+$`).test(file))
  for (const file of left) await rm(join(records, file), { recursive: true, force: true })
}

/** Runs `work` with a new folder, which is gone afterwards, also when a signal ends this process meanwhile. */
async function interruptibly(folder: string, work: (abort: AbortSignal) => Promise<void>): Promise<void> {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const abort = new AbortController()
  const interrupt = (signal: NodeJS.Signals): void => abort.abort(signal)
  for (const signal of signals) process.once(signal, interrupt)
  try {
    await mkdir(folder)
    await work(abort.signal)
  } finally {
    await rm(folder, { recursive: true, force: true })
    for (const signal of signals) process.off(signal, interrupt)
    if (abort.signal.aborted) process.kill(process.pid, abort.signal.reason as NodeJS.Signals)
  }
}

/** Says that it goes on, so that nobody takes it for hanging. */
async function telling(name: string, work: () => Promise<void>): Promise<void> {
  const started = Date.now()
  const seconds = (): number => Math.round((Date.now() - started) / 1000)
  const tell = (text: string): void => void process.stderr.write(`${text}\n`)
  tell(`Installing ${name} into sdk/, once; this takes a minute or so …`)
  const ticking = setInterval(() => tell(`… still installing, ${seconds()} s`), 10_000)
  try {
    await work()
    tell(`… installed in ${seconds()} s.`)
  } finally {
    clearInterval(ticking)
  }
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
