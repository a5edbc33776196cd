import { existsSync, readFileSync, rmSync } from 'node:fs'

// The product as `npm start` runs it, with a fault in it that no part of it catches, when the file `fault` in its data folder
// names one.
const faults: Readonly<Record<string, () => void>> = {
  thrown: () => {
    throw new TypeError('a planted fault')
  },
  rejected: () => void Promise.reject(new TypeError('a planted fault')),
  'no error': () => void Promise.reject(undefined),
}
const order = `${process.argv[process.argv.indexOf('--data') + 1]}/fault`

setInterval(() => {
  const fault = existsSync(order) && faults[readFileSync(order, 'utf8')]
  if (!fault) return
  rmSync(order)
  fault()
}, 20).unref()
await import('../../src/main/serve.ts')
