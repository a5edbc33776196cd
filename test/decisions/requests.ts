import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import { sasToken } from '../fixtures/sas.ts'
import { openAmqp } from '../wire/amqp-client.ts'
import { connectPacket, openMqtt } from '../wire/mqtt-client.ts'
import { ask, beginSession, deviceWithKey, mqttPort, registerTopic } from '../wire/device.ts'
import { enroll, found, latestUnattributed, other, register, withKey, type Case, type World } from './world.ts'

/** What is wrong with the request itself. */
export const requests: readonly Case[] = [
  {
    reason: 'BodyMalformed',
    says: /not a JSON object/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      return register(world, id, { ...withKey(world, id, key), body: '[1]' })
    },
  },
  {
    reason: 'ApiVersionMissing',
    says: /expected api-version as YYYY-MM-DD, found none/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      const path = `/${world.service.idScope}/registrations/${id}/register`
      return register(world, id, { ...withKey(world, id, key), path })
    },
  },
  {
    reason: 'RegistrationIdMismatch',
    says: /the request is for \S+, its body for "somebody-else"/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      return register(world, id, { ...withKey(world, id, key), body: { registrationId: 'somebody-else' } })
    },
  },
  {
    reason: 'RegistrationIdInvalid',
    says: /"-\S+" is not a registration ID/,
    attempt: (world, id) => register(world, id, withKey(world, id, other)),
  },
  {
    reason: 'AttestationUnavailable',
    says: /TPM attestation is not available over MQTT/,
    attempt: async (world, id) => {
      const device = deviceWithKey(world.service, id, await enroll(world, id))
      await using connection = await openMqtt(mqttPort(world.service))
      await beginSession(connection, device)
      const tpm = { endorsementKey: 'AAAA', storageRootKey: 'AAAA' }
      const { status } = await ask(connection, registerTopic('1'), JSON.stringify({ registrationId: id, tpm }))
      assert.equal(status, 400)
      return undefined
    },
  },
  {
    reason: 'PathUnknown',
    says: /PUT \/.*\/registre/,
    attempt: (world, id) => {
      const path = `/${world.service.idScope}/registrations/${id}/registre?api-version=2019-03-31`
      return register(world, id, { ...withKey(world, id, other), path })
    },
  },
  {
    reason: 'MethodNotAllowed',
    says: /expected PUT, found POST/,
    attempt: (world, id) => register(world, id, { ...withKey(world, id, other), method: 'POST' }),
  },
  {
    reason: 'BodyTooLarge',
    says: /longer than 98304 bytes/,
    attempt: (world, id) => register(world, id, { ...withKey(world, id, other), body: { x: 'x'.repeat(99_000) } }),
  },
  {
    reason: 'MediaTypeUnsupported',
    says: /content type is not JSON/,
    attempt: (world, id) => {
      const { headers } = withKey(world, id, other)
      return register(world, id, { headers: { ...headers, 'content-type': 'text/xml' }, body: '<x/>' })
    },
  },
  {
    reason: 'MqttUserNameInvalid',
    says: /expected \{idScope\}\/registrations\/\{registrationId\}\/api-version=…, found "\S+"/,
    attempt: async (world, id) => {
      await refusedConnect(world, id, `${world.service.idScope}/${id}`, 4)
      return undefined
    },
  },
  {
    reason: 'MqttClientIdMismatch',
    says: /expected the client ID \S+, as the user name says; found "somebody-else"/,
    attempt: async (world, id) => {
      const userName = `${world.service.idScope}/registrations/${id}/api-version=2019-03-31`
      await refusedConnect(world, 'somebody-else', userName, 5)
      return undefined
    },
  },
  {
    reason: 'SaslResponseInvalid',
    says: /PLAIN: expected \{idScope\}\/registrations\/\{registrationId\}, found "only-a-name"/,
    attempt: async (world) => {
      const connection = openAmqp(world.service, { username: 'only-a-name', password: sasToken('x', other) })
      await once(connection, 'connection_error')
      connection.close()
      return latestUnattributed(world, 'Amqp')
    },
  },
  {
    reason: 'TokenForAnotherResource',
    when: 'AMQP, once for two links',
    says: /the link is for \S+, its connection is of \S+-itself/,
    attempt: async (world, id) => {
      const own = `${id}-itself`
      const device = deviceWithKey(world.service, own, await enroll(world, own))
      const connection = openAmqp(world.service, { username: device.resource, password: device.token() })
      const address = `${world.service.idScope}/registrations/${id}`
      connection.open_receiver({ source: address })
      connection.open_sender({ target: address })
      const told = await found(world, id, /the link is for/)
      // The second link came with the first.
      await wait(300)
      connection.close()
      const { value } = (await world.plane.call('GET', `/decisions?registrationId=${id}`)).json()
      assert.equal((value as unknown[]).length, 1)
      return told
    },
  },
  {
    reason: 'OperationAbsent',
    says: /has no operation 5\.0123456789abcdef/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      const path = `/${world.service.idScope}/registrations/${id}/operations/5.0123456789abcdef?api-version=2019-03-31`
      return world.service.https({ method: 'GET', path, ...withKey(world, id, key) })
    },
  },
  {
    reason: 'DeviceRegistrationAbsent',
    says: /has not registered/,
    attempt: async (world, id) => {
      const key = await enroll(world, id)
      const path = `/${world.service.idScope}/registrations/${id}?api-version=2019-03-31`
      return world.service.https({ method: 'POST', path, body: {}, ...withKey(world, id, key) })
    },
  },
]

async function refusedConnect({ service }: World, clientId: string, userName: string, code: number): Promise<void> {
  await using connection = await openMqtt(mqttPort(service))
  connection.send(connectPacket(clientId, userName, 'a password'))
  assert.equal((await connection.receive('connack')).returnCode, code)
  await connection.closed()
}
