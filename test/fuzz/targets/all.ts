import type { Load, Target } from '../engine/target.ts'
import { amqpTargets } from './amqp.ts'
import { bodyTargets } from './bodies.ts'
import { certificateTargets } from './certificates.ts'
import { documentTargets } from './documents.ts'
import { mqttTargets } from './mqtt.ts'
import { tokenTargets } from './tokens.ts'
import { wordTargets } from './words.ts'

/** Every parser of the tree that can be reached by whoever sends bytes. */
export async function parserTargets(load: Load): Promise<readonly Target[]> {
  const makers = [tokenTargets, mqttTargets, amqpTargets, certificateTargets, bodyTargets, documentTargets, wordTargets]
  return (await Promise.all(makers.map((make) => make(load)))).flat()
}
