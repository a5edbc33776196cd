import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { readConfiguration } from '../../src/main/configuration.ts'
import { connectionFacts, writeConnectionFile } from '../../src/main/connection-file.ts'
import { openHubward } from '../../src/main/hubward.ts'
import { allocationOffers, attestationOffers } from '../../src/main/kinds.ts'
import { openLog } from '../../src/main/log.ts'
import { byLine } from './by-line.ts'
import { pairingCode } from './pairing-code.ts'

// The product with kinds of its own beside those that it offers anyway. Nothing in src knows of them.
const configuration = readConfiguration(process.argv.slice(2), {})
rmSync(join(configuration.data, 'connection.env'), { force: true })
const hubward = await openHubward(configuration, openLog(configuration.log), {
  attestation: [...attestationOffers, pairingCode],
  allocation: [...allocationOffers, byLine],
})
writeConnectionFile(configuration.data, connectionFacts(configuration, hubward))
process.once('SIGTERM', () => void hubward[Symbol.asyncDispose]())
