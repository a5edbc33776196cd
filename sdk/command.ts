import { spawn } from 'node:child_process'

/** What the command printed, once it has ended well; rejects with one sentence that begins with `purpose` otherwise. */
export function succeed(purpose: string, cwd: string, command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let printed = ''
    let complained = ''
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()))
    child.once('error', () => reject(new Error(`${purpose} needs ${command}, which could not be started: install it.`)))
    child.once('close', (code) => {
      if (code === 0) return resolve(printed)
      const reason = complained.trim().split('\n').slice(-6).join(' ') || `it ended with ${code}`
      reject(new Error(`${purpose} failed at \`${command} ${args.join(' ')}\`: ${reason}`))
    })
  })
}
