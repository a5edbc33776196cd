#!/usr/bin/env node
// The sources are TypeScript, which Node runs from 22.18 on; an older one hands over to the runtime that the package pins.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const program = join(import.meta.dirname, '..', 'src', 'cli', 'program.ts')
const [major, minor] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  await import(program)
} else {
  const pinned = join(import.meta.dirname, '..', 'node_modules', '.bin', 'node')
  if (existsSync(pinned)) {
    const child = spawn(pinned, [program, ...process.argv.slice(2)], { stdio: 'inherit' })
    // A terminal interrupts both; what another program sends is passed on.
    process.on('SIGINT', () => {})
    process.on('SIGTERM', (signal) => child.kill(signal))
    child.on('exit', (code) => (process.exitCode = code ?? 1))
  } else {
    process.stderr.write(`hubward needs Node 24 or newer; this is ${process.versions.node}.\n`)
    process.exitCode = 1
  }
}
