import { join } from 'node:path'
import type { AllocationPolicy } from '../allocation/allocation.ts'
import { customAllocation } from '../allocation/custom.ts'
import { inProcessHost, policyModules } from '../allocation/custom/modules.ts'
import { webhooks } from '../allocation/custom/webhook.ts'
import { readInitialTwin } from '../enrollment/initial-twin.ts'
import { members } from '../model/members.ts'
import { enrollmentJson } from '../enrollment/write-enrollment.ts'
import { shownUrl } from '../base/shown-url.ts'
import type { AllocationParts } from './offers.ts'
import { readCertificate } from './key-pair.ts'
import { allowedFor } from './outbound.ts'

/** The custom policy: webhooks, and the operator's modules behind `https://in-process/NAME`. */
export function customCode({
  configuration,
  data,
  offered,
  others,
  monotonic,
  closing,
}: AllocationParts): AllocationPolicy {
  const { policies, policyTime, policyMemory, webhookTimeout, webhookHttp, webhookCa, customFallback } = configuration
  const webhook = webhooks({
    timeout: webhookTimeout,
    allowHttp: webhookHttp === 'allow',
    allowed: allowedFor(configuration, 'webhookNetworks'),
    ca: webhookCa === '' ? [] : [readCertificate(webhookCa, 'a CA of webhooks (webhookCa)')],
  })
  const modules = policyModules(policies || join(data, 'policies'), { time: policyTime, memory: policyMemory })

  closing.use(webhook)
  closing.use(modules)
  return customAllocation({
    codeAt: (webhookUrl) => {
      const { hostname, pathname } = new URL(webhookUrl)
      if (hostname !== inProcessHost) return { asked: shownUrl(webhookUrl), ask: webhook(webhookUrl) }
      const name = pathname.slice(1)
      return { asked: `policy module ${name}`, ask: modules(name) }
    },
    describe: (enrollment) => enrollmentJson(enrollment, offered(), { keys: false, webhookSecrets: false }),
    readTwin: (initialTwin) => readInitialTwin(members({ initialTwin })),
    fallback: customFallback === 'none' ? undefined : others[customFallback],
    monotonic,
  })
}
