import { pendingMessages } from './cloud-to-device.ts'
import type { Hub } from './hub.ts'
import { clientOf, type Identity, type Presence } from './identity.ts'

/** Whether the identity is connected, and what waits for it. */
export function presenceOf(hub: Hub, identity: Identity): Presence {
  return {
    connected: hub.connections.has(clientOf(identity)),
    pendingMessages: identity.moduleId === '' ? pendingMessages(hub, identity.deviceId) : 0,
  }
}
