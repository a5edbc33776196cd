import type { LinkedHub } from '../model/service.ts'
import type { IotHub } from './iot-hub.ts'

/** How a linked hub is reached; while it does not answer, it is waited for until that moment of the monotonic clock. */
export type Hubs = (link: LinkedHub, until: number) => IotHub
