import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decision } from '../model/decision.ts'
import { explain } from './explain.ts'

const refused: Decision = {
  time: Date.UTC(2031, 2, 2, 10, 0, 1, 250),
  trackingId: '2d0b6c1e-7f53-4c1c-8f0b-0b8a5a1f4f10',
  idScope: '0ne00000001',
  registrationId: 'pump-17',
  protocol: 'Mqtt',
  userAgent: 'azure-iot-provisioning-device/1.9.1',
  remoteAddress: '203.0.113.7',
  attestation: 'token',
  presented: 'a token for 0ne00000001/registrations/pump-17, good until 2031-03-02T09:00:00.000Z',
  findings: [{ step: 'candidate', enrollment: 'pump-17', found: 'individual enrollment, symmetricKey' }],
  outcome: 'refused',
  reason: 'TokenExpired',
  detail: 'the token expired 3601 s ago',
  milliseconds: 3,
}

test('a refusal is told with what was presented, looked at and found, what to do, and what the device was told', () => {
  assert.equal(
    explain(refused),
    [
      '2031-03-02T10:00:01.250Z  refused: TokenExpired',
      '  device       pump-17 at ID scope 0ne00000001, over Mqtt from 203.0.113.7, azure-iot-provisioning-device/1.9.1',
      '  presented    a token for 0ne00000001/registrations/pump-17, good until 2031-03-02T09:00:00.000Z',
      '  looked at    pump-17: individual enrollment, symmetricKey',
      '  why          the token expired 3601 s ago',
      '  what to do   Set the clock of the device (NTP), or give its tokens a longer life. If it was late by hours exactly, its time zone is wrong.',
      '  told         401002 Unauthorized',
      '  tracking id  2d0b6c1e-7f53-4c1c-8f0b-0b8a5a1f4f10',
      '  took         3 ms',
      '',
    ].join('\n'),
  )
})

test('an assignment is told with every call to its hub', () => {
  const hub = 'hub-a.example'
  const told = explain({
    ...refused,
    outcome: 'assigned',
    reason: undefined,
    detail: undefined,
    assignedHub: hub,
    findings: [
      { step: 'attested', enrollment: 'pumps', milliseconds: 1 },
      { step: 'allocation', policy: 'hashed', candidates: [hub, 'hub-b.example'], chosen: hub },
      { step: 'hub', hub, call: 'create the device', found: 'created', milliseconds: 12 },
      { step: 'overlooked', count: 3 },
    ],
  })
  assert.match(told, /^\S+ {2}assigned to hub-a\.example\n/)
  assert.match(told, /vouched by +pumps \(1 ms\)\n/)
  assert.match(told, /allocated +hub-a\.example by hashed, of hub-a\.example, hub-b\.example\n/)
  assert.match(told, /asked hub +hub-a\.example, create the device: created \(12 ms\)\n/)
  assert.match(told, /and +3 more were looked at\n/)
})

test('what a stranger sends cannot steer the terminal that shows it', () => {
  const told = explain({ ...refused, registrationId: 'x\u001b[2J\u202e\r\nrefused: nothing', userAgent: '\u0007' })
  assert.equal(told.split('\n').length, explain(refused).split('\n').length)
  for (const character of ['\u001b', '\u0007', '\r', '\u202e']) assert.ok(!told.includes(character))
})
