import { randomUUID } from 'node:crypto'
import { certificateCredential, type Credential } from '../attestation/attestation.ts'
import type { RefusedClient } from '../bundled-hub/turned-away.ts'
import type { Undiagnosed } from '../model/decision.ts'
import { Refusal } from '../model/refusal.ts'
import { tell } from '../registration/trail.ts'
import type { Clocks } from '../base/time.ts'
import type { Reader } from '../store/store.ts'

/**
 * Tells of devices that the bundled hubs did not let in as of those that may not register: the same line and the same record, at
 * the instance that the hub is linked to, so that `explain` finds both.
 */
export function hubRefusals(
  store: Reader,
  parts: Clocks & { readonly onDecision: (decision: Undiagnosed) => void; readonly onFault: (fault: unknown) => void },
): (turnedAway: RefusedClient) => void {
  /** Several instances may have linked the hub: then the one at which the device has registered. */
  async function linkedTo(hub: string, client: string): Promise<string | undefined> {
    let first: string | undefined
    for (const { idScope } of await store.services.all()) {
      const hubs = await store.linkedHubs.all(idScope)
      if (hubs.some(({ hostName }) => hostName.toLowerCase() === hub)) {
        first ??= idScope
        if (await store.registrations.get(idScope, client.split('/')[0] ?? '')) return idScope
      }
    }
    return first
  }

  async function record({ hub, client, protocol, peer, token, why }: RefusedClient): Promise<void> {
    const linked = await linkedTo(hub, client)
    const { remoteAddress, certificateChain: chain } = peer
    const credential: Credential = token ? { kind: 'token', token } : certificateCredential(chain)
    const attempt = {
      trackingId: randomUUID(),
      idScope: linked ?? '',
      registrationId: client,
      protocol,
      userAgent: '',
      remoteAddress,
      credential,
      asked: 'use its hub',
    } as const
    tell(attempt, new Refusal(why.reason, why.found), parts)
  }
  return (turnedAway) => void record(turnedAway).catch(parts.onFault)
}
