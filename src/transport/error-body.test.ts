import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Refusal } from '../model/refusal.ts'
import { errorBody } from './error-body.ts'

const trackingId = '2d0b6c1e-7f53-4c1c-8f0b-0b8a5a1f4f10'
const now = Date.UTC(2031, 2, 2, 10)

test('a refusal is told with its code, its public message, the tracking id, the time and its info', () => {
  const refusal = new Refusal('MemberInvalid', 'for the operator', { said: 'Grüße', info: { member: 'deviceId' } })
  const { status, json } = errorBody(refusal, { trackingId, now })
  assert.equal(status, 400)
  assert.deepEqual(JSON.parse(json), {
    errorCode: 400004,
    trackingId,
    message: 'Grüße',
    timestampUtc: '2031-03-02T10:00:00.0000000Z',
    info: { member: 'deviceId' },
  })
  // oxlint-disable-next-line no-control-regex
  assert.match(json, /^[\x00-\x7f]*$/)
})

test('a refusal without info has no such member', () => {
  assert.ok(!('info' in JSON.parse(errorBody(new Refusal('EnrollmentAbsent', ''), { trackingId, now }).json)))
})

test('a fault says nothing of its cause', () => {
  const { status, json } = errorBody(new Error('SharedAccessKey=abc'), { trackingId, now })
  assert.equal(status, 500)
  assert.deepEqual(JSON.parse(json), {
    errorCode: 500001,
    trackingId,
    message: 'An unexpected error occurred.',
    timestampUtc: '2031-03-02T10:00:00.0000000Z',
  })
})
