import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import type * as tokenModule from '../../../src/attestation/token.ts'
import type * as sessionModule from '../../../src/cli/api-session.ts'
import type * as continuationModule from '../../../src/enrollment/continuation.ts'
import type * as membersModule from '../../../src/model/members.ts'
import type * as refusalModule from '../../../src/model/refusal.ts'
import type * as secretModule from '../../../src/base/secret.ts'
import type * as amqpSaslModule from '../../../src/transport/amqp-sasl.ts'
import type * as linkedHubsModule from '../../../src/instances/linked-hubs.ts'
import type * as saslTpmModule from '../../../src/wire/amqp/sasl-tpm.ts'
import type * as saslModule from '../../../src/wire/amqp/sasl.ts'
import type * as sasTokenModule from '../../../src/wire/sas-token.ts'
import type { Load, MakeTargets, Target } from '../engine/target.ts'
import { orRefused } from '../engine/target.ts'
import type { Random } from '../engine/random.ts'

/** What strangers prove themselves with: tokens, SASL responses, connection strings, preconditions, continuations. */
export const tokenTargets: MakeTargets = async (load) =>
  Promise.all([
    sasToken(load),
    sasl(load),
    presented(load),
    continuation(load),
    connectionString(load),
    linkedHub(load),
  ])

const key = { hmac: (text: string) => createHmac('sha256', 'k').update(text).digest() }
const fields = ['sr=', 'sig=', 'se=', 'skn=', '&', '%2F', '%', 'SharedAccessSignature ', '/registrations/', '1e3']

async function sasToken(load: Load): Promise<Target> {
  const { parseSasToken, signSasToken } = await load<typeof sasTokenModule>('wire/sas-token.ts')
  return {
    name: 'sas-token',
    dictionary: fields,
    generate: (random) =>
      Buffer.from(random.once(3) ? written(random) : signSasToken(random.text().toWellFormed(), key, random.edge())),
    check: (input) => {
      const text = input.toString()
      const token = parseSasToken(text)
      if (!token) return
      assert.ok(text.length <= 4096 && Number.isSafeInteger(token.expiry) && token.expiry >= 0)
      // What was read and is written again is read the same.
      if (!token.resource.isWellFormed() || !token.keyName.isWellFormed()) return
      const again = signSasToken(token.resource, key, token.expiry, token.keyName)
      if (again.length > 4096) return
      const { resource, expiry, keyName } = parseSasToken(again) ?? {}
      assert.deepEqual([resource, expiry, keyName], [token.resource, token.expiry, token.keyName])
    },
  }
}

function written(random: Random): string {
  const part = () => `${random.pick(['sr', 'sig', 'se', 'skn', random.text(8)])}=${random.text(random.pick([8, 5000]))}`
  return `${random.pick(['SharedAccessSignature ', 'sharedaccesssignature ', ''])}${random.many(6, part).join('&')}`
}

async function presented(load: Load): Promise<Target> {
  const { presentedToken } = await load<typeof tokenModule>('attestation/token.ts')
  const { Refusal } = await load<typeof refusalModule>('model/refusal.ts')
  const service = { idScope: '0ne000A0B1C' } as Parameters<typeof presentedToken>[0]['service']
  return {
    name: 'presented-token',
    dictionary: fields,
    generate: (random) =>
      Buffer.from(
        `SharedAccessSignature sr=0ne000A0B1C%2Fregistrations%2F${random.pick(['dev', 'DEV', random.text()])}&sig=${random.text()}x&se=${random.edge()}&skn=${random.pick(['registration', '', random.text()])}`,
      ),
    check: (input) => {
      const device = { service, registrationId: 'dev', credential: { kind: 'token', token: input.toString() } }
      const token = orRefused([Refusal], () => presentedToken(device as Parameters<typeof presentedToken>[0], () => 0))
      if (token) assert.equal(token.resource.toLowerCase(), '0ne000a0b1c/registrations/dev')
    },
  }
}

async function sasl(load: Load): Promise<Target> {
  const { readPlain } = await load<typeof saslModule>('wire/amqp/sasl.ts')
  const { readTpmOpening } = await load<typeof saslTpmModule>('wire/amqp/sasl-tpm.ts')
  const { readAddress } = await load<typeof amqpSaslModule>('transport/amqp-sasl.ts')
  return {
    name: 'sasl',
    dictionary: ['\0', '/registrations/', 'amqps://'],
    generate: (random) =>
      Buffer.concat([
        Buffer.from(`\0${random.text()}\0${random.text()}${random.pick(['\0', ''])}`),
        random.bytes(random.size(64)),
      ]),
    check: (input) => {
      const plain = readPlain(input)
      if (plain) readAddress(plain.userName)
      readAddress(input.toString())
      const opening = readTpmOpening(input)
      if (opening) assert.ok(opening.endorsementKey.length <= input.length)
    },
  }
}

async function continuation(load: Load): Promise<Target> {
  const { readContinuation, writeContinuation } = await load<typeof continuationModule>('enrollment/continuation.ts')
  const { Refusal } = await load<typeof refusalModule>('model/refusal.ts')
  const { Secret } = await load<typeof secretModule>('base/secret.ts')
  const store = { keys: { get: async () => new Secret(Buffer.alloc(32, 7)) } } as unknown as Parameters<
    typeof readContinuation
  >[2]
  const question = { idScope: '0ne000A0B1C', collection: 'enrollments', query: 'SELECT *' } as Parameters<
    typeof readContinuation
  >[0]
  const good = await writeContinuation(question, 'dev-7', store)
  return {
    name: 'continuation',
    dictionary: ['.', good, good.split('.')[0]!],
    generate: (random) => Buffer.from(random.once(2) ? good : `${random.text()}.${random.text(4000)}`),
    check: async (input) => {
      const after = await readContinuation(question, input.toString(), store).catch((error: unknown) => {
        if (!(error instanceof Refusal)) throw error
      })
      if (after !== undefined) assert.equal(after, 'dev-7', 'only what was signed here leads on')
    },
  }
}

async function connectionString(load: Load): Promise<Target> {
  const { membersOf } = await load<typeof sessionModule>('cli/api-session.ts')
  return {
    name: 'connection-string',
    dictionary: ['HostName=', 'SharedAccessKeyName=', 'SharedAccessKey=', ';', '='],
    generate: (random) =>
      Buffer.from(
        random
          .many(5, () => `${random.pick(['HostName', 'SharedAccessKey', random.text()])}=${random.text()}`)
          .join(';'),
      ),
    check: (input) => {
      const members = membersOf(input.toString())
      assert.ok(Object.values(members).every((value) => typeof value === 'string'))
    },
  }
}

async function linkedHub(load: Load): Promise<Target> {
  const { readLinkedHubs } = await load<typeof linkedHubsModule>('instances/linked-hubs.ts')
  const { members } = await load<typeof membersModule>('model/members.ts')
  const { Refusal } = await load<typeof refusalModule>('model/refusal.ts')
  return {
    name: 'linked-hub',
    dictionary: ['HostName=', ';SharedAccessKeyName=', ';SharedAccessKey=', '****', 'AAAA'],
    generate: (random) =>
      Buffer.from(
        `HostName=${random.pick(['hub.example', random.text()])};SharedAccessKeyName=${random.text()};SharedAccessKey=${random.pick(['AAAA', '****', random.text()])}`,
      ),
    check: (input) => {
      const properties = members({ iotHubs: [{ connectionString: input.toString() }] })
      const [hub] = orRefused([Refusal], () => readLinkedHubs(properties, [], 'here', 10)) ?? []
      if (hub) assert.match(hub.hostName, /^[A-Za-z0-9.-]{1,254}$/)
    },
  }
}
