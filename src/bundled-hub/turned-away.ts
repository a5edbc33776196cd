import type { Peer } from '../base/peer.ts'

/** A device that a hub did not let in, and why: for the operator. */
export interface RefusedClient {
  readonly hub: string
  /** `device` or `device/module`, as it named itself. */
  readonly client: string
  readonly protocol: 'Http' | 'Mqtt' | 'Amqp'
  readonly peer: Peer
  /** What it presented beside its client certificate. */
  readonly token: string | undefined
  readonly why: Why
}

/** Which kind of reason it was. */
export interface Why {
  readonly reason:
    | 'HubDeviceUnknown'
    | 'HubDeviceDisabled'
    | 'HubTokenRefused'
    | 'HubCertificateRefused'
    | 'HubCredentialMissing'
    | 'HubConnectInvalid'
  /** What was expected and what was found; no secret is in it. */
  readonly found: string
}
