import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openControlPlane, type ControlPlane } from './control-plane.ts'

let plane: ControlPlane
before(async () => {
  plane = await openControlPlane('127.80.9')
})
after(() => plane[Symbol.asyncDispose]())

const subscription = '/subscriptions/00000000-0000-0000-0000-000000000000'

test('a resource group is there with the location of its instances, which a new one takes', async () => {
  const group = (await plane.call('GET', `${subscription}/resourcegroups/hubward`)).json()
  assert.equal(group['location'], 'local')
  assert.deepEqual(group['properties'], { provisioningState: 'Succeeded' })
  const other = (await plane.call('GET', `${subscription}/resourceGroups/plant-7`)).json()
  assert.equal(other['id'], `${subscription}/resourceGroups/plant-7`)
  const { value } = (await plane.call('GET', `${subscription}/resourceGroups`)).json()
  assert.deepEqual(
    (value as { name: string }[]).map(({ name }) => name),
    ['hubward'],
  )
})

test('subscriptions and the provider are there', async () => {
  const { value } = (await plane.call('GET', '/subscriptions')).json()
  assert.deepEqual(
    (value as { id: string; state: string }[]).map(({ id, state }) => [id, state]),
    [[subscription, 'Enabled']],
  )
  assert.equal((await plane.call('GET', subscription)).json()['subscriptionId'], subscription.split('/')[2])
  for (const path of [`${subscription}/providers/Microsoft.Devices`, `${subscription}/providers/microsoft.devices`]) {
    const provider = (await plane.call('GET', path)).json()
    assert.equal(provider['registrationState'], 'Registered')
    assert.match(JSON.stringify(provider['resourceTypes']), /"provisioningServices".*"2022-12-12"/)
  }
  await plane.call('GET', `${subscription}/providers/Microsoft.Compute`, { expect: 404 })
})

test('nobody without a token looks anything up, and two slashes are one', async () => {
  for (const path of ['/subscriptions', subscription, `${subscription}/resourceGroups/hubward`])
    await plane.call('GET', path, { token: null, expect: 401 })
  const doubled = (await plane.call('GET', `/${plane.path('hubward')}`)).json()
  assert.equal(doubled['name'], 'hubward')
})
