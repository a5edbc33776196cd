import { asBinary, asText, demand } from './decoding.ts'
import { binary, symbols, ubyte, type Encoded } from './encoding.ts'
import type { Input } from './input.ts'
import { code, readPerformative, writeFrame } from './performatives.ts'

/**
 * One way to authenticate: it reads the client's first response, may put any number of challenges, and ends with who the
 * client is, or undefined to refuse it. A thrown error is a fault, told to the client as one.
 */
export type SaslMechanism<Identity> = (
  initialResponse: Buffer,
  challenge: (bytes: Buffer) => Promise<Buffer>,
) => Promise<Identity | undefined>

/** By name, in the order in which they are offered. */
export type SaslMechanisms<Identity> = ReadonlyMap<string, SaslMechanism<Identity>>

/**
 * Largest SASL frame that is read. The standard says 512 [AMQP-1.0 §5.3.1], and nothing larger is sent; but Node puts the token
 * of a long registration ID into one frame all the same.
 */
const largestFrame = 2048

const outcome = { ok: 0, refused: 1, fault: 2 } as const

/**
 * The server's side of a SASL exchange: gives the identity, or undefined when the client was refused. `chosen` hears
 * which mechanism the client named, offered or not. Rejects with ProtocolViolation, InputEnded, or the mechanism's fault; the fault's outcome has been sent by then. [AMQP-1.0 §5.3]
 */
export async function negotiate<Identity>(
  mechanisms: SaslMechanisms<Identity>,
  input: Input,
  send: (bytes: Buffer) => void,
  chosen: (mechanism: string) => void = () => {},
): Promise<Identity | undefined> {
  const sendFrame = (performative: number, field: Encoded) => send(writeFrame(1, 0, performative, [field]))
  sendFrame(code.saslMechanisms, symbols([...mechanisms.keys()]))

  const [name, initialResponse] = await receive(input, code.saslInit)
  const mechanism = mechanisms.get(asText(name) ?? '')
  chosen(asText(name) ?? '')
  const challenge = async (bytes: Buffer): Promise<Buffer> => {
    sendFrame(code.saslChallenge, binary(bytes))
    const [response] = await receive(input, code.saslResponse)
    return asBinary(response) ?? Buffer.alloc(0)
  }
  try {
    const identity = await mechanism?.(asBinary(initialResponse) ?? Buffer.alloc(0), challenge)
    sendFrame(code.saslOutcome, ubyte(identity === undefined ? outcome.refused : outcome.ok))
    return identity
  } catch (error) {
    sendFrame(code.saslOutcome, ubyte(outcome.fault))
    throw error
  }
}

async function receive(input: Input, wanted: number): Promise<readonly Encoded[]> {
  const frame = await input.frame(largestFrame)
  demand(frame.type === 1, 'a frame that is not SASL came before the SASL outcome')
  const { code: found, fields } = readPerformative(frame.body)
  demand(found === wanted, `SASL performative ${found} came where ${wanted} was due`)
  return fields
}

/** The user name and password of SASL PLAIN; undefined if the response is malformed. The authorization identity is ignored. [RFC 4616] */
export function readPlain(response: Buffer): { userName: string; password: string } | undefined {
  const parts = response.toString('utf8').split('\0')
  const [, userName, password] = parts
  return parts.length === 3 && userName && password ? { userName, password } : undefined
}
