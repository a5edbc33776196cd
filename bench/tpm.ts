import { once } from 'node:events'
import type { TLSSocket } from 'node:tls'
import { sasToken } from '../test/fixtures/sas.ts'
import type { Chip } from '../test/fixtures/tpm-chip.ts'
import { registerOverAmqp } from './amqp.ts'

/** A TPM's device as a client sees it: its address and its chip. */
export interface TpmKeys {
  readonly idScope: string
  readonly registrationId: string
  readonly chip: Chip
}

/** Two requests on one connection, as SDKs have them: for the challenge, and with its answer. Gives the text of the last. */
export async function registerTpmOverHttps(socket: TLSSocket, host: string, keys: TpmKeys): Promise<string> {
  const { idScope, registrationId, chip } = keys
  const endorsementKey = chip.endorsementKey.toString('base64')
  const storageRootKey = chip.storageRootKey.toString('base64')
  const body = JSON.stringify({ registrationId, tpm: { endorsementKey, storageRootKey } })
  const put = async (...headers: string[]): Promise<string> => {
    const head = [
      `PUT /${idScope}/registrations/${registrationId}/register?api-version=2019-03-31 HTTP/1.1`,
      `Host: ${host}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${body.length}`,
      ...headers,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
    return responseBody(socket)
  }
  const { authenticationKey } = JSON.parse(await put()) as { authenticationKey: string }
  const answer = await put(`Authorization: ${signed(keys, Buffer.from(authenticationKey, 'base64'))}`)
  socket.end()
  await once(socket.resume(), 'close')
  return answer
}

/** The SASL exchange of a TPM, and one registration. */
export function registerTpmOverAmqp(socket: TLSSocket, keys: TpmKeys): Promise<string> {
  const { idScope, registrationId, chip } = keys
  const parts: Buffer[] = []
  const step = (challenge: Buffer): Buffer => {
    if (challenge.length === 1) return Buffer.concat([Buffer.from([0]), chip.storageRootKey])
    parts.push(challenge.subarray(1))
    const last = (challenge[0]! & 0x40) !== 0
    return Buffer.from(last ? `\0${signed(keys, Buffer.concat(parts))}` : '\0')
  }
  const initial = Buffer.concat([Buffer.from(`\0${idScope}\0${registrationId}\0`), chip.endorsementKey])
  return registerOverAmqp(socket, `${idScope}/registrations/${registrationId}`, { mechanism: 'TPM', initial, step })
}

function signed({ idScope, registrationId, chip }: TpmKeys, blob: Buffer): string {
  const key = chip.unwrap(blob).toString('base64')
  return sasToken(`${idScope}/registrations/${registrationId}`, key, { keyName: 'registration' })
}

async function responseBody(socket: TLSSocket): Promise<string> {
  let text = ''
  for (;;) {
    const [part] = (await once(socket, 'data')) as [Buffer]
    text += part.toString()
    const end = text.indexOf('\r\n\r\n')
    const length = Number(/^content-length: (\d+)/im.exec(text)?.[1])
    if (end >= 0 && text.length >= end + 4 + length) return text.slice(end + 4)
  }
}
