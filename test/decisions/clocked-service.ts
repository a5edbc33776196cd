import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { machineClocks } from '../../src/main/clocks.ts'
import { readConfiguration } from '../../src/main/configuration.ts'
import { connectionFacts, writeConnectionFile } from '../../src/main/connection-file.ts'
import { openHubward } from '../../src/main/hubward.ts'
import { openLog } from '../../src/main/log.ts'

// The product as `npm start` runs it, but its wall clock is set by the milliseconds that the file `clock-set-by` says.
const configuration = readConfiguration(process.argv.slice(2), {})
const clock = () => Date.now() + setBy()
const hubward = await openHubward(configuration, openLog(configuration.log), { clocks: { ...machineClocks, clock } })
writeConnectionFile(configuration.data, connectionFacts(configuration, hubward))

function setBy(): number {
  try {
    return Number(readFileSync(join(configuration.data, 'clock-set-by'), 'utf8'))
  } catch {
    return 0
  }
}
