import type { Command } from 'commander'
import { command } from './command.ts'
import { CommandFailure } from './failure.ts'
import { objectOf, type JsonRecord } from './api-session.ts'
import { printable, printableJson, shown } from '../base/printable.ts'

const trackingId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

interface Wanted {
  readonly limit: string
  readonly all?: boolean
}

/** `hubward explain <registration or tracking ID>`: why a device was admitted or refused, as a person reads it. */
export function explainCommand(program: Command): void {
  command<Wanted>(
    program,
    'explain <id>',
    'Why a device was admitted or refused, by registration or tracking ID',
    async (run, id = '') => {
      const { session, options } = run
      const query = new URLSearchParams({
        [trackingId.test(id) ? 'trackingId' : 'registrationId']: id,
        limit: options.limit,
      })
      const path = options.all ? '/decisions' : `${(await session.instance()).id}/decisions`
      const found = objectOf<{ value: readonly JsonRecord[] } & JsonRecord>(
        await session.management('GET', `${path}?${query}`),
      )
      if (found.value.length === 0) {
        const advice = options.all
          ? 'Nothing of it reached the service: is the device host right, and does the device trust the CA?'
          : `Not at ${options.dpsName}: was it another ID scope? Look everywhere with --all.`
        throw new CommandFailure(`There is no record of ${shown(id)}.`, advice)
      }
      if (options.output === 'json')
        process.stdout.write(`${printableJson(JSON.stringify(found.value, undefined, 2))}\n`)
      else {
        const { text } = await session.management('GET', `${path}?${query}&format=text`)
        process.stdout.write(text.split('\n').map(printable).join('\n'))
      }
    },
  )
    .option('--limit <number>', 'how many attempts, newest first', '3')
    .option('--all', 'at every instance, and at ID scopes that nobody has')
}
