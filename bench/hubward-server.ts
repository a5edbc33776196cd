import { readFileSync } from 'node:fs'
import pino from 'pino'
import { readConfiguration } from '../src/main/configuration.ts'
import { connectionFacts } from '../src/main/connection-file.ts'
import { openHubward } from '../src/main/hubward.ts'
import { served } from './served.ts'

// The whole product on its embedded store with the bundled hubs, as `npm start` has it; on ports of its own.
const folder = process.argv[2] ?? ''
const ports = ['--https-port', '0', '--mqtt-port', '0', '--amqp-port', '0']
const configuration = readConfiguration(
  ['--data', folder, '--listen', '127.0.0.1', '--device-host', 'localhost', ...ports],
  {},
)
const hubward = await openHubward(configuration, pino({ level: 'error' }, pino.destination(2)))
const facts = connectionFacts(configuration, hubward)

served(
  {
    host: '127.0.0.1',
    ca: readFileSync(hubward.caFile, 'utf8'),
    httpsPort: hubward.ports.https.port,
    mqttPort: hubward.ports.mqtt.port,
    amqpPort: hubward.ports.amqp.port,
    idScope: hubward.first.service.idScope,
    serviceConnectionString: facts.get('HUBWARD_SERVICE_CONNECTION_STRING') ?? '',
  },
  async () => hubward[Symbol.asyncDispose](),
)
