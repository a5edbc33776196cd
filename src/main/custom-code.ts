import { join } from 'node:path'
import type { MechanismKinds } from '../attestation/attestation-kind.ts'
import type { AllocationPolicy } from '../allocation/allocation.ts'
import { customAllocation } from '../allocation/custom.ts'
import { inProcessHost, policyModules } from '../allocation/custom/modules.ts'
import { webhooks } from '../allocation/custom/webhook.ts'
import { readInitialTwin } from '../enrollment/initial-twin.ts'
import { members } from '../model/members.ts'
import { enrollmentJson } from '../enrollment/write-enrollment.ts'
import type { Monotonic } from '../base/time.ts'
import { shownUrl } from '../base/shown-url.ts'
import type { Configuration } from './configuration.ts'
import { readCertificate } from './key-pair.ts'
import { allowedFor } from './outbound.ts'

/** The custom policy: webhooks, and the operator's modules behind `https://in-process/NAME`. `close` ends what they keep. */
export function customCode(
  configuration: Configuration,
  data: string,
  automatic: Readonly<Record<'hashed' | 'geoLatency' | 'static', AllocationPolicy>>,
  kinds: MechanismKinds,
  monotonic: Monotonic,
): { readonly policy: AllocationPolicy; readonly close: () => Promise<void> } {
  const { policies, policyTime, policyMemory, webhookTimeout, webhookHttp, webhookCa, customFallback } = configuration
  const webhook = webhooks({
    timeout: webhookTimeout,
    allowHttp: webhookHttp === 'allow',
    allowed: allowedFor(configuration, 'webhookNetworks'),
    ca: webhookCa === '' ? [] : [readCertificate(webhookCa, 'a CA of webhooks (webhookCa)')],
  })
  const modules = policyModules(policies || join(data, 'policies'), { time: policyTime, memory: policyMemory })

  const policy = customAllocation({
    codeAt: (webhookUrl) => {
      const { hostname, pathname } = new URL(webhookUrl)
      if (hostname !== inProcessHost) return { asked: shownUrl(webhookUrl), ask: webhook(webhookUrl) }
      const name = pathname.slice(1)
      return { asked: `policy module ${name}`, ask: modules(name) }
    },
    describe: (enrollment) => enrollmentJson(enrollment, kinds, { keys: false, webhookSecrets: false }),
    readTwin: (initialTwin) => readInitialTwin(members({ initialTwin })),
    fallback: customFallback === 'none' ? undefined : automatic[customFallback],
    monotonic,
  })
  const close = async () => {
    webhook[Symbol.dispose]()
    await modules[Symbol.asyncDispose]()
  }
  return { policy, close }
}
