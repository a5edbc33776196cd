import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { readConfiguration } from '../../src/main/configuration.ts'
import { connectionFacts, writeConnectionFile } from '../../src/main/connection-file.ts'
import { openHubward } from '../../src/main/hubward.ts'
import { openLog } from '../../src/main/log.ts'

// The product as `npm start` runs it, but it dies as by a power failure at the step that the file `crash-at` names.
const configuration = readConfiguration(process.argv.slice(2), {})
const order = join(configuration.data, 'crash-at')
rmSync(join(configuration.data, 'connection.env'), { force: true })

const hubward = await openHubward(configuration, openLog(configuration.log), {
  onStep: async (step) => {
    if (ordered() !== step) return
    rmSync(order)
    process.kill(process.pid, 'SIGKILL')
    await new Promise(() => {})
  },
})
writeConnectionFile(configuration.data, connectionFacts(configuration, hubward))

function ordered(): string | undefined {
  try {
    return readFileSync(order, 'utf8')
  } catch {
    return undefined
  }
}
