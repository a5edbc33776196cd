import { shownUrl } from '../../base/shown-url.ts'
import type { PolicyDefinition } from '../allocation.ts'

/** Which code decides, and the version of the API that it was written for. [service-wire §9.3] */
export const customDefinition: PolicyDefinition = {
  member: 'customAllocationDefinition',
  read: (definition, { stored, allowHttp }) => {
    const given = definition.text('webhookUrl')
    if (!given) throw definition.refusal('webhookUrl', 'is required')
    const kept = stored && String(stored['webhookUrl'])
    const webhookUrl = kept !== undefined && given === shownUrl(kept) ? kept : given
    const protocols = allowHttp ? ['https:', 'http:'] : ['https:']
    const url = URL.parse(webhookUrl)
    if (!url || !protocols.includes(url.protocol))
      throw definition.refusal('webhookUrl', 'must be an absolute https URL')
    const apiVersion = definition.text('apiVersion')
    if (!apiVersion) throw definition.refusal('apiVersion', 'is required')
    if (!/^\d{4}-\d\d-\d\d(-preview)?$/.test(apiVersion) || apiVersion < '2018-09-01') {
      throw definition.refusal('apiVersion', 'must be a version from 2018-09-01-preview on')
    }
    return { webhookUrl, apiVersion }
  },
  write: (definition, secrets) =>
    secrets ? { ...definition } : { ...definition, webhookUrl: shownUrl(String(definition['webhookUrl'])) },
  queried: { webhookUrl: 'value', apiVersion: 'value' },
}
