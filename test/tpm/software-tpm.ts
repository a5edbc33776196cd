import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { ensureDebian } from '../fixtures/debian.ts'
import { serveSimulator } from './simulator.ts'

/** A TPM 2.0 of its own, fresh and started, that speaks the simulator protocol at `host` and `port` (and `port` + 1). */
export interface SoftwareTpm extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** How tpm2-tools reach it: the value of TPM2TOOLS_TCTI. */
  readonly tcti: string
}

/**
 * Start a software TPM behind the simulator protocol on this loopback address, on ports of its own choosing. Installs swtpm
 * where it is missing. The TPM and its state end with the disposal, or with this process.
 */
export async function startSoftwareTpm(host: string): Promise<SoftwareTpm> {
  if (!hasSoftwareTpm()) await ensureDebian(['swtpm'])
  const state = await mkdtemp(join(tmpdir(), 'software-tpm-'))
  const options = ['--tpm2', '--tpmstate', `dir=${state}`, '--fd', '3', '--flags', 'not-need-init,startup-clear']
  const child = spawn('swtpm', ['socket', ...options], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] })
  process.once('exit', () => child.kill())
  const ended = once(child, 'close')
  const channel = child.stdio[3]
  if (!(channel instanceof Duplex)) throw new Error('the channel to swtpm is not a socket')
  const simulator = await serveSimulator(commands(channel), host)
  return {
    host,
    port: simulator.port,
    tcti: `mssim:host=${host},port=${simulator.port}`,
    [Symbol.asyncDispose]: async () => {
      await simulator[Symbol.asyncDispose]()
      child.kill()
      await ended
      await rm(state, { recursive: true })
    },
  }
}

/** Whether swtpm is installed on this machine. */
export function hasSoftwareTpm(): boolean {
  return spawnSync('swtpm', ['--version'], { stdio: 'ignore' }).error === undefined
}

/** One command at a time, whoever asks: a TPM has no notion of two. */
function commands(channel: Duplex): (command: Buffer) => Promise<Buffer> {
  let last: Promise<unknown> = Promise.resolve()
  const exchange = async (command: Buffer): Promise<Buffer> => {
    channel.write(command)
    let response = Buffer.alloc(0)
    while (response.length < 6 || response.length < response.readUInt32BE(2)) {
      const [part] = (await once(channel, 'data')) as [Buffer]
      response = Buffer.concat([response, part])
    }
    return response
  }
  return (command) => {
    const answer = last.then(() => exchange(command))
    last = answer.catch(() => undefined)
    return answer
  }
}
