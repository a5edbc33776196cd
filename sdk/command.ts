import { spawn } from 'node:child_process'

/**
 * What the command printed, once it has ended well; rejects with one sentence that begins with `purpose` otherwise. An abort ends the
 * command, and rejects when it has ended.
 */
export function succeed(
  purpose: string,
  cwd: string,
  command: string,
  args: readonly string[],
  abort?: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    const end = (): void => void child.kill()
    abort?.addEventListener('abort', end)
    if (abort?.aborted) end()
    let printed = ''
    let complained = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()))
    child.once('error', () => reject(new Error(`${purpose} needs ${command}, which could not be started: install it.`)))
    child.once('close', (code) => {
      abort?.removeEventListener('abort', end)
      if (code === 0) return resolve(printed)
      if (unreachable.test(complained))
        return reject(new Error(`${purpose} ${needsNetwork} \`${command}\` is set to ask.`))
      const reason = complained.trim().split('\n').slice(-6).join(' ') || `it ended with ${code}`
      reject(new Error(`${purpose} failed at \`${command} ${args.join(' ')}\`: ${reason}`))
    })
  })
}

const needsNetwork = 'needs a network, this once: nothing answers at the package registry that'

/** How npm, pip and apt-get say that they reach nobody. */
const unreachable =
  /EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|ETIMEDOUT|name resolution|Network is unreachable|Failed to establish a new connection|Could not resolve/i
