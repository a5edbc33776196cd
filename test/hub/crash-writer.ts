import { ask, member, object, open } from '../fixtures/bundled-hub.ts'

// Writes without end, and tells of each write once it was acknowledged, until it is killed.
const hub = await open({ directory: process.argv[2] ?? '' })
for (let number = 0; ; number += 8) {
  const devices = Array.from({ length: 8 }, (_, lane) => `d-${process.pid}-${number + lane}`)
  await Promise.all(devices.map(write))
}

async function write(deviceId: string): Promise<void> {
  const device = await ask(hub, 'PUT', `/devices/${deviceId}`, { capabilities: { iotEdge: true } })
  const key = member(object(device), 'authentication', 'symmetricKey', 'primaryKey')
  await ask(hub, 'PATCH', `/twins/${deviceId}`, { tags: { key: key ?? null } })
  process.stdout.write(`${deviceId} ${String(key)}\n`)
}
