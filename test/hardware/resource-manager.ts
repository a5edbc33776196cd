import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'

/** Lets several programs share a TPM, as /dev/tpmrm0 does for a TPM in hardware. */
export interface ResourceManager extends AsyncDisposable {
  /** How a program reaches it, in the notation of the TPM2 software stack. */
  readonly tcti: string
  /** What the program's environment must say beside. */
  readonly environment: Readonly<Record<string, string>>
}

const run = promisify(execFile)

/** Starts tpm2-abrmd for the TPM at this TCTI, on a D-Bus of its own. */
export async function startResourceManager(tpm: string): Promise<ResourceManager> {
  const bus = spawn('dbus-daemon', ['--session', '--nofork', '--nopidfile', '--print-address'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [address] = (await once(createInterface({ input: bus.stdout }), 'line')) as [string]
  const environment = { DBUS_SESSION_BUS_ADDRESS: address }
  const env = { ...process.env, ...environment }
  const broker = spawn('tpm2-abrmd', ['--session', '--allow-root', `--tcti=${tpm}`], { env, stdio: 'ignore' })
  process.once('exit', () => [broker, bus].forEach((child) => child.kill()))
  for (const limit = Date.now() + 20_000; !(await named(env)); await wait(50)) {
    if (broker.exitCode !== null || Date.now() > limit) throw new Error('tpm2-abrmd did not come up')
  }
  return {
    tcti: 'tabrmd:bus_type=session',
    environment,
    [Symbol.asyncDispose]: async () => {
      await ended(broker)
      await ended(bus)
    },
  }
}

/** Whether the broker has taken its name on the bus, which it does when it is ready. */
async function named(env: NodeJS.ProcessEnv): Promise<boolean> {
  const question = ['org.freedesktop.DBus.NameHasOwner', 'string:com.intel.tss2.Tabrmd']
  const { stdout } = await run(
    'dbus-send',
    ['--session', '--print-reply', '--dest=org.freedesktop.DBus', '/', ...question],
    {
      env,
    },
  )
  return stdout.includes('boolean true')
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill()
  await once(child, 'close')
}
