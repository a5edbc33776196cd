import { certificateCredential } from '../../attestation/attestation.ts'
import type { Breach } from '../../base/breach.ts'
import { codeOf } from '../../base/error-code.ts'
import type { Peer } from '../../base/peer.ts'
import { quoted, shown } from '../../base/printable.ts'
import type { Protocol } from '../../model/decision.ts'
import { Refusal, type RefusalReason } from '../../model/refusal.ts'
import type { Registrar } from '../../registration/registrar.ts'
import { readClientHello } from '../../wire/client-hello.ts'
import { newTrackingId } from '../device-transport.ts'
import { handshakeRefusal } from './handshake.ts'

/** Tells of connections that ended before a request on them could be read, one record each. */
export interface Unread {
  /** A TLS handshake failed; `first` is what came first on the connection. */
  readonly handshake: (error: unknown, protocol: Protocol, remoteAddress: string, first: Buffer) => void
  /** A client broke MQTT or AMQP. */
  readonly broken: (breach: Breach, protocol: 'Mqtt' | 'Amqp', peer: Peer) => void
  /** A client left right after the handshake, without a word. */
  readonly silent: (protocol: Protocol, peer: Peer) => void
  readonly webSocket: (found: string, peer: Peer) => void
  readonly http: (error: Error, peer: Peer) => void
}

/** Tells it where attempts to register are told, so that it is limited and counted as they are. */
export function unread({ turnedAway }: Pick<Registrar, 'turnedAway'>): Unread {
  function tell(refusal: Refusal, protocol: Protocol, from: From, clientId = ''): void {
    const { certificateChain: chain = [], remoteAddress, serverName } = from
    const dialled = serverName === undefined ? '' : `, which dialled ${shown(serverName, 128)}`
    const detail = `${refusal.detail}; from ${remoteAddress}${dialled}`
    const attempt = {
      trackingId: newTrackingId(),
      idScope: '',
      registrationId: clientId,
      protocol,
      userAgent: '',
      remoteAddress,
      credential: certificateCredential(chain),
      asked: 'connect',
    } as const
    turnedAway(attempt, new Refusal(refusal.reason, detail))
  }
  const telling = (reason: RefusalReason, found: string, protocol: Protocol, peer: Peer, clientId?: string) =>
    tell(new Refusal(reason, found), protocol, peer, clientId)

  return {
    handshake: (error, protocol, remoteAddress, first) => {
      const hello = readClientHello(first)
      const refusal = handshakeRefusal(error, first, hello)
      if (refusal) tell(refusal, protocol, { remoteAddress, serverName: hello?.serverName })
    },
    broken: ({ of, found, clientId }, protocol, peer) => {
      const reason = of === 'version' ? ofVersion[protocol] : ofProtocol[protocol]
      telling(reason, found, protocol, peer, clientId)
    },
    silent: (protocol, peer) => {
      const found =
        'the client left right after the TLS handshake, without a word: most likely it does not trust the certificate'
      telling('TlsServerNotTrusted', found, protocol, peer)
    },
    webSocket: (found, peer) => telling('WebSocketInvalid', found, 'Http', peer),
    http: (error, peer) => {
      const found = `${quoted(error.message)} (${codeOf(error) ?? ''})`
      telling('HttpMalformed', `expected an HTTP/1.1 request, found ${found}`, 'Http', peer)
    },
  }
}

interface From {
  readonly remoteAddress: string
  readonly serverName?: string | undefined
  readonly certificateChain?: readonly Buffer[]
}

const ofVersion = { Mqtt: 'MqttVersionUnsupported', Amqp: 'AmqpVersionUnsupported' } as const
const ofProtocol = { Mqtt: 'MqttMalformed', Amqp: 'AmqpMalformed' } as const
