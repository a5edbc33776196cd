import type { IotHub } from './iot-hub.ts'

/** How often the hub may change the identity between our reading and our writing. */
const attempts = 5

/** Disable a device's identity, which cuts its connection; `absent` if the hub has no such device. [service-wire §11] */
export async function disableDevice(
  hub: IotHub,
  deviceId: string,
  statusReason: string,
): Promise<'disabled' | 'absent' | 'contended'> {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const identity = await hub.device(deviceId)
    if (!identity) return 'absent'
    // A hub takes a reason of up to 128 characters.
    if (await hub.replace({ ...identity, status: 'disabled', statusReason: statusReason.slice(0, 128) })) {
      return 'disabled'
    }
  }
  return 'contended'
}
