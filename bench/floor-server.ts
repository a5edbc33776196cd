import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { served } from './served.ts'

// The floor: a bare TLS server that does the handshake, with the product's own certificate and TLS options, and closes.
const folder = process.argv[2] ?? ''
const server = createServer(
  {
    key: readFileSync(join(folder, 'server-key.pem')),
    cert: readFileSync(join(folder, 'server.pem')),
    requestCert: true,
    rejectUnauthorized: false,
    ca: [],
    ecdhCurve: 'X25519:P-256',
    noDelay: true,
  },
  (socket) => {
    socket.on('error', () => socket.destroy())
    socket.end('.')
  },
)
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  const ca = readFileSync(join(folder, 'ca.pem'), 'utf8')
  const ports = { httpsPort: port, mqttPort: port, amqpPort: port }
  served({ host: '127.0.0.1', ca, ...ports, idScope: '', serviceConnectionString: '' }, async () => void server.close())
})
