import type * as encodingModule from '../../../src/wire/amqp/encoding.ts'
import type * as performativesModule from '../../../src/wire/amqp/performatives.ts'
import { createSelfSigned } from '../../fixtures/certificates.ts'
import type { Random } from '../engine/random.ts'
import type { Load } from '../engine/target.ts'
import { amqpWriter } from '../targets/amqp.ts'
import type { Converse, Step } from './conversation.ts'

/** AMQP clients that prove something or nothing, open what they may, and send frames in any order and number. */
export async function amqpConversations(load: Load): Promise<Converse> {
  const steps = await amqpSteps(load)
  // Any certificate is somebody until a link says who: a stranger with one gets further than without.
  const { certificate: cert, key } = await createSelfSigned('dev')
  return (random, idScope) => {
    const broken = random.once(5)
    const end = random.pick([
      '00000004',
      '0000000802000000'.replace('02', '01'),
      'ffffffff02000000',
      '0000000b020000000053ff',
      '0000000902000000f1',
    ])
    const certificate = random.once(4) ? {} : { certificate: { cert, key } }
    return {
      to: 'amqp',
      tls: true,
      ...certificate,
      steps: [...steps(random, idScope), ...(broken ? [{ bytes: Buffer.from(end, 'hex'), times: 1 }] : [])],
      broken,
    }
  }
}

/** The steps of a client, the protocol headers among them. */
export async function amqpSteps(load: Load): Promise<(random: Random, idScope: string) => readonly Step[]> {
  const encoding = await load<typeof encodingModule>('wire/amqp/encoding.ts')
  const performatives = await load<typeof performativesModule>('wire/amqp/performatives.ts')
  const { frame, opened } = amqpWriter(encoding, performatives)
  const { writeFrame, code } = performatives
  const plain = Buffer.from('AMQP\0\x01\0\0', 'latin1')
  const sasl = Buffer.from('AMQP\x03\x01\0\0', 'latin1')
  const init = (random: Random, idScope: string) => {
    const mechanism = random.pick(['PLAIN', 'TPM', 'EXTERNAL', '__proto__', random.text(20)])
    const response = random.pick([
      Buffer.from(`\0${idScope}/registrations/dev\0${random.text(900)}`),
      Buffer.from(`\0${idScope}\0dev\0${random.text(90)}`),
      random.bytes(random.size(1500)),
    ])
    return writeFrame(1, 0, code.saslInit, [encoding.symbol(mechanism), encoding.binary(response)])
  }
  /** A delivery that never ends: frames with little, or nothing, in them. */
  const endless = (random: Random): Step => {
    const { uint, binary, boolean } = encoding
    const fields = [uint(0), uint(0), binary(Buffer.from([1])), uint(0), boolean(false), boolean(true)]
    return {
      bytes: writeFrame(0, 0, code.transfer, fields, Buffer.alloc(random.pick([0, 0, 1]))),
      times: 2 ** random.int(10, 21),
    }
  }
  return (random, idScope) => {
    const once = (bytes: Buffer): Step => ({ bytes, times: random.once(25) ? random.size(500) : 1 })
    const first = random.once(3) ? [once(sasl), once(init(random, idScope)), once(plain)] : [{ bytes: plain, times: 1 }]
    const more = random.many(15, () => once(frame(random)))
    if (random.once(8)) return [{ bytes: plain, times: 1 }, { bytes: opened(), times: 1 }, endless(random)]
    return [...first, { bytes: opened(), times: 1 }, ...more]
  }
}
