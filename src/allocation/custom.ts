import type { Enrollment, InitialTwin } from '../model/enrollment.ts'
import { isJsonObject, type Json, type JsonObject } from '../base/json.ts'
import { quoted } from '../base/printable.ts'
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
  const members = inAnyCase(answer)
  const hostName = members.get('iothubhostname')
  if (typeof hostName !== 'string' || hostName === '') throw new CustomFailure('the answer names no hub')
  const hub = candidates.find((candidate) => isHub(candidate, hostName))
  if (!hub) throw new CustomFailure(`the answer names ${hostName.slice(0, 128)}, which is not among the linked hubs`)
  const payload = withPayload ? (members.get('payload') ?? undefined) : undefined
  return { hub, repeatable: false, initialTwin: twinOf(members.get('initialtwin'), readTwin), payload }
}

function twinOf(twin: Json | undefined, readTwin: CustomAllocation['readTwin']): InitialTwin | undefined {
  if (twin === undefined || twin === null) return undefined
  try {
    return readTwin(spelledTwin(twin))
  } catch (error) {
    if (error instanceof Refusal) throw new CustomFailure(`the initialTwin in the answer: ${error.detail}`)
    throw error
  }
}

/** The documentation spells members in more than one way, and serializers do as they please. [service-wire §9.3] */
function inAnyCase(object: JsonObject): ReadonlyMap<string, Json | undefined> {
  return new Map(Object.entries(object).map(([name, value]) => [name.toLowerCase(), value]))
}

/** The twin as a hub spells it. A member that would be lost is a mistake of the function, and is named. */
function spelledTwin(twin: Json): JsonObject {
  const { tags, properties } = onlyThese(['tags', 'properties'], twin, 'initialTwin')
  if (properties === undefined) return { tags }
  const { desired } = onlyThese(['desired'], properties, 'initialTwin.properties')
  return { tags, properties: { desired } }
}

/** These members of an object, in whatever case they are written. Other ones have to be null, as serializers write what is not there. */
function onlyThese(names: readonly string[], value: Json, path: string): Readonly<Record<string, Json | undefined>> {
  if (!isJsonObject(value)) throw new CustomFailure(`the ${path} in the answer is not an object`)
  const found = inAnyCase(value)
  const foreign = Object.keys(value).find((name) => !names.includes(name.toLowerCase()) && value[name] !== null)
  if (foreign !== undefined)
    throw new CustomFailure(
      `the ${path} in the answer has the member ${quoted(foreign, 40)}, which no initial twin has`,
    )
  return Object.fromEntries(names.map((name) => [name, found.get(name) ?? undefined]))
}
