import type { Json } from '../base/json.ts'
import type { RegistrationId } from '../model/identifiers.ts'
import type { ProvisioningService } from '../model/service.ts'

/** What keeps one instance, or one device, from taking more than its share. Each refuses what is beyond patience. */
export interface RegistrationLimits {
  /** Milliseconds until it is this registration's turn; 0: now. Asking takes the turn. Refuses when too many wait already. */
  readonly turn: (service: ProvisioningService) => number
  /** Seconds after which this device may poll again, where it is to wait longer than usual. Refuses one that does not listen. */
  readonly poll: (service: ProvisioningService, registrationId: RegistrationId) => number | undefined
  /** Refuses a device that the instance has no room for; asked of devices that it does not know yet. */
  readonly room: (service: ProvisioningService) => Promise<void>
  /** Refuses a payload that is too large. */
  readonly payload: (service: ProvisioningService, payload: Json | undefined) => void
}
