/** MQTT 3.1.1 control packets that a server receives. [MQTT-2.2.1] */
export type Packet =
  | Connect
  | Publish
  | { readonly type: 'puback'; readonly packetId: number }
  | Subscribe
  | { readonly type: 'unsubscribe'; readonly packetId: number; readonly filters: readonly string[] }
  | { readonly type: 'pingreq' }
  | { readonly type: 'disconnect' }

export interface Connect {
  readonly type: 'connect'
  readonly protocol: string
  readonly level: number
  readonly clientId: string
  readonly cleanSession: boolean
  /** Seconds; 0 means none. */
  readonly keepAlive: number
  readonly userName?: string | undefined
  readonly password?: Buffer | undefined
  readonly will?:
    { readonly topic: string; readonly payload: Buffer; readonly qos: number; readonly retain: boolean } | undefined
}

export interface Publish {
  readonly type: 'publish'
  readonly topic: string
  readonly payload: Buffer
  readonly qos: number
  readonly retain: boolean
  readonly dup: boolean
  /** 0 for QoS 0. */
  readonly packetId: number
}

export interface Subscribe {
  readonly type: 'subscribe'
  readonly packetId: number
  readonly filters: readonly { readonly filter: string; readonly qos: number }[]
}

/** CONNACK return codes. [MQTT-3.2.2] */
export const connack = {
  accepted: 0,
  unacceptableProtocol: 1,
  identifierRejected: 2,
  serverUnavailable: 3,
  badUserNameOrPassword: 4,
  notAuthorized: 5,
} as const

export type ConnackCode = (typeof connack)[keyof typeof connack]

/** The SUBACK return code that refuses a filter. [MQTT-3.9.3] */
export const subscriptionRefused = 0x80
