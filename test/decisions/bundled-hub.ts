import assert from 'node:assert/strict'
import { setTimeout as wait } from 'node:timers/promises'
import { createSelfSigned } from '../fixtures/certificates.ts'
import { askHttps } from '../fixtures/https.ts'
import { sasToken, type TokenOptions } from '../fixtures/sas.ts'
import { openAmqp } from '../wire/amqp-client.ts'
import { connectPacket, openMqtt } from '../wire/mqtt-client.ts'
import { found, other, type Case, type World } from './world.ts'

/** Devices that the bundled hub does not let in, over every protocol that it has. */
export const bundledHub: readonly Case[] = [
  refusal('HubDeviceUnknown', 'MQTT', /hub \S+ has no device why-/, (world, id) =>
    connect(world, id, tokenOf(world, id)),
  ),
  refusal('HubDeviceUnknown', 'HTTPS', /has no device why-/, async (world, id) => {
    const { status } = await askHttps(hubOf(world), world.service.ports.https, world.service.ca, {
      method: 'POST',
      path: `/devices/${id}/messages/events?api-version=2021-04-12`,
      headers: { authorization: tokenOf(world, id) },
      body: {},
    })
    assert.equal(status, 401)
  }),
  refusal(
    'HubTokenRefused',
    'AMQP by SASL',
    /neither key of the identity; why-\d+ is known by its keys/,
    async (world, id) => {
      await create(world, id)
      const connection = openAmqp(world.service, {
        host: hubOf(world),
        username: `${id}@sas.${hubOf(world)}`,
        password: tokenOf(world, id, Buffer.alloc(64, 9).toString('base64')),
      })
      await found(world, id, /neither key/)
      connection.close()
    },
  ),
  refusal(
    'HubCredentialMissing',
    'AMQP, once for two links',
    /no token and no client certificate came/,
    async (world, id) => {
      await create(world, id)
      const connection = openAmqp(world.service, { host: hubOf(world), hostname: hubOf(world) })
      connection.open_receiver({ source: `/devices/${id}/messages/devicebound` })
      connection.open_sender({ target: `/devices/${id}/messages/events` })
      await found(world, id, /no token/)
      // The second link came with the first.
      await wait(500)
      connection.close()
      const { value } = (await world.plane.call('GET', `/decisions?registrationId=${id}`)).json()
      assert.equal((value as unknown[]).length, 1)
    },
  ),
  refusal('HubDeviceDisabled', '', /why-\d+ is disabled at hub/, async (world, id) => {
    await create(world, id, { status: 'disabled' })
    await connect(world, id, tokenOf(world, id))
  }),
  refusal('HubTokenRefused', 'expired', /the token expired 36\d\d s ago/, async (world, id) => {
    await create(world, id)
    await connect(world, id, tokenOf(world, id, other, { expiry: Math.floor(Date.now() / 1000) - 3600 }))
  }),
  refusal(
    'HubTokenRefused',
    'for another device',
    /expected a token for 127\S+\/why-\d+, found "\S+\/someone"/,
    async (world, id) => {
      await create(world, id)
      await connect(world, id, tokenOf(world, 'someone'))
    },
  ),
  refusal('HubTokenRefused', 'a connection string', /the token is a whole connection string/, async (world, id) => {
    await create(world, id)
    await connect(world, id, `HostName=x;DeviceId=${id};SharedAccessKey=${other}`)
  }),
  refusal(
    'HubTokenRefused',
    'by a policy without the right',
    /policy service lacks the right DeviceConnect/,
    async (world, id) => {
      await create(world, id)
      await connect(world, id, tokenOf(world, id, Buffer.alloc(64, 9).toString('base64'), { keyName: 'service' }))
    },
  ),
  refusal(
    'HubCertificateRefused',
    '',
    /the client certificate is not one that lets it in; why-\d+ is known by its thumbprints/,
    async (world, id) => {
      const thumbprint = 'AB'.repeat(32)
      const x509Thumbprint = { primaryThumbprint: thumbprint, secondaryThumbprint: thumbprint }
      await create(world, id, { authentication: { type: 'selfSigned', x509Thumbprint } })
      const { certificate: cert, key } = await createSelfSigned(id)
      await connect(world, id, undefined, { cert, key })
    },
  ),
  refusal(
    'HubConnectInvalid',
    '',
    /expected the user name \S+\/\{client ID\}.*found "\S+\/someone\//,
    async (world, id) => {
      await connect(world, id, tokenOf(world, id), {}, 'someone')
    },
  ),
]

/** Found at the instance that the hub is linked to, as the device's registrations are. */
function refusal(
  reason: string,
  when: string,
  says: RegExp,
  attempt: (world: World, id: string) => Promise<void>,
): Case {
  return {
    reason,
    when,
    says,
    attempt: async (world, id) => {
      await attempt(world, id)
      const told = await found(world, id, says)
      await world.service.logged(new RegExp(`refused ${id} .*${reason}`))
      assert.match(told.idScope, /^0ne/)
      return told
    },
  }
}

function hubOf({ service }: World): string {
  return service.deviceHost.replace(/1$/, '2')
}

async function create(world: World, deviceId: string, entry: object = {}): Promise<void> {
  const symmetricKey = { primaryKey: other, secondaryKey: other }
  const authentication = { type: 'sas', symmetricKey }
  await world.service.askHub(0, 'PUT', `/devices/${deviceId}`, { deviceId, authentication, ...entry })
}

function tokenOf(world: World, id: string, key: string = other, options: TokenOptions = {}): string {
  return sasToken(`${hubOf(world)}/devices/${id}`, key, { keyName: '', ...options })
}

async function connect(world: World, id: string, token?: string, tls: object = {}, named = id): Promise<void> {
  const { ports, ca } = world.service
  await using connection = await openMqtt({ host: hubOf(world), port: ports.mqtt, ca, ...tls })
  connection.send(connectPacket(id, `${hubOf(world)}/${named}/?api-version=2021-04-12`, token))
  assert.equal((await connection.receive('connack')).returnCode, 5)
}
