import type { Enrollment, InitialTwin } from '../model/enrollment.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { Refusal } from '../model/refusal.ts'
import { isHub, type LinkedHub } from '../model/service.ts'
import type { Monotonic } from '../base/time.ts'
import type { AllocationPolicy, Choice, ToAllocate } from './allocation.ts'
import { customDefinition } from './custom/definition.ts'
import { allocationRequest } from './custom/request.ts'

/** Put an AllocationRequest to an operator's code; the JSON it answered. Throws CustomFailure. */
export type Ask = (request: JsonObject) => Promise<Json>

/** Custom code that did not answer as it should; the message is fit for the device's eyes. */
export class CustomFailure extends Error {
  override readonly name = 'CustomFailure'
}

/** What a custom policy works with. */
export interface CustomAllocation {
  /** The operator's code behind a webhook URL, and the name under which it may be shown. */
  readonly codeAt: (webhookUrl: string) => { readonly asked: string; readonly ask: Ask }
  /** The stored record as the code may see it: without secrets, in the wire's words. */
  readonly describe: (enrollment: Enrollment) => JsonObject
  /** The initial twin in an answer, checked as one in an enrollment is; throws a Refusal. */
  readonly readTwin: (twin: JsonObject) => InitialTwin | undefined
  /** Decides when the code fails; absent: the registration fails. */
  readonly fallback?: AllocationPolicy | undefined
  readonly monotonic: Monotonic
}

/** The operator's own code decides, and may give the device a twin and a payload. [service-wire §9.3] */
export function customAllocation(parts: CustomAllocation): AllocationPolicy {
  return {
    name: 'custom',
    automatic: false,
    external: true,
    definition: customDefinition,
    choose: async (device, candidates) => {
      try {
        return await asked(device, candidates, parts)
      } catch (error) {
        if (!(error instanceof CustomFailure)) throw error
        const { fallback } = parts
        if (!fallback) {
          throw new Refusal(
            'CustomAllocationFailed',
            `custom allocation of ${device.registrationId}: ${error.message}`,
            {
              said: `Custom allocation failed ${spelled(error.message)}`,
            },
          )
        }
        const choice = await fallback.choose(device, candidates)
        return { ...choice, because: `${fallback.name}, as custom code failed: ${error.message}`, repeatable: false }
      }
    },
  }
}

/** As the real service writes it: `Custom allocation failed with status code: 500`. [service-wire §9.3] */
function spelled(reason: string): string {
  return reason.startsWith('status code: ') ? `with ${reason}` : `(${reason})`
}

async function asked(device: ToAllocate, candidates: readonly LinkedHub[], parts: CustomAllocation): Promise<Choice> {
  const { enrollment, trail } = device
  const definition = enrollment.definitions?.[customDefinition.member]
  if (!definition) throw new CustomFailure('the enrollment has no customAllocationDefinition')
  const { asked, ask } = parts.codeAt(String(definition['webhookUrl']))
  const withPayload = definition['apiVersion'] !== '2018-09-01-preview'
  const began = parts.monotonic()
  const told = (found: string) => trail.note({ step: 'custom', asked, found, milliseconds: parts.monotonic() - began })
  try {
    const request = allocationRequest(device, candidates, { record: parts.describe(enrollment), withPayload })
    const choice = readAnswer(await ask(request), candidates, withPayload, parts)
    told(`answered ${choice.hub.hostName}`)
    return choice
  } catch (error) {
    told(`failed: ${error instanceof Error ? error.message : String(error)}`)
    throw error
  }
}

function readAnswer(
  answer: Json,
  candidates: readonly LinkedHub[],
  withPayload: boolean,
  { readTwin }: CustomAllocation,
): Choice {
  if (!isJsonObject(answer)) throw new CustomFailure('the answer is not a JSON object')
  // The documentation spells the members in more than one way. [service-wire §9.3]
  const members = new Map(Object.entries(answer).map(([name, value]) => [name.toLowerCase(), value]))
  const hostName = members.get('iothubhostname')
  if (typeof hostName !== 'string' || hostName === '') throw new CustomFailure('the answer names no hub')
  const hub = candidates.find((candidate) => isHub(candidate, hostName))
  if (!hub) throw new CustomFailure(`the answer names ${hostName.slice(0, 128)}, which is not among the linked hubs`)
  const payload = withPayload ? (members.get('payload') ?? undefined) : undefined
  return { hub, repeatable: false, initialTwin: twinOf(members.get('initialtwin'), readTwin), payload }
}

function twinOf(twin: Json | undefined, readTwin: CustomAllocation['readTwin']): InitialTwin | undefined {
  if (twin === undefined || twin === null) return undefined
  if (!isJsonObject(twin)) throw new CustomFailure('the initialTwin in the answer is not an object')
  try {
    return readTwin(twin)
  } catch (error) {
    if (error instanceof Refusal) throw new CustomFailure(`the initialTwin in the answer: ${error.detail}`)
    throw error
  }
}
