import type { HttpResponse } from '../../wire/http.ts'
import type { Hub } from '../hub.ts'
import { countDevices } from '../identity-table.ts'
import { ok } from './answer.ts'

/** GET /statistics/devices */
export function deviceStatistics({ database, name }: Hub): HttpResponse {
  const { total, enabled } = countDevices(database, name)
  return ok({ totalDeviceCount: total, enabledDeviceCount: enabled, disabledDeviceCount: total - enabled })
}

/** GET /statistics/service */
export function serviceStatistics({ connections }: Hub): HttpResponse {
  return ok({ connectedDeviceCount: connections.devices })
}
