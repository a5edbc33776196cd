import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { corpusFolder, readCorpus } from '../engine/corpus.ts'
import type { Conversation } from './conversation.ts'

/** A conversation as a file: JSON, with bytes in base64. */
export function writeScript(conversation: Conversation): string {
  const { steps, before, ...rest } = conversation
  const written = {
    ...rest,
    ...(before && { before: before.toString('base64') }),
    steps: steps.map(({ bytes, times }) => ({ bytes: bytes.toString('base64'), times })),
  }
  return JSON.stringify(written, undefined, 1) + '\n'
}

/** Reads what `writeScript` wrote. */
export function readScript(text: string): Conversation {
  const { steps, before, ...rest } = JSON.parse(text) as Omit<Conversation, 'steps' | 'before'> & {
    readonly before?: string
    readonly steps: readonly { readonly bytes: string; readonly times: number }[]
  }
  return {
    ...rest,
    ...(before !== undefined && { before: Buffer.from(before, 'base64') }),
    steps: steps.map(({ bytes, times }) => ({ bytes: Buffer.from(bytes, 'base64'), times })),
  }
}

/** Conversations that once broke something, in the order of their names. */
export function keptScripts(): readonly { readonly name: string; readonly conversation: Conversation }[] {
  return readCorpus('connections').map(({ name, bytes }) => ({ name, conversation: readScript(bytes.toString()) }))
}

/** Keep a conversation under the name of what it broke; gives its file. */
export function keepScript(name: string, conversation: Conversation): string {
  const file = join(corpusFolder, 'connections', `${name}.script`)
  writeFileSync(file, writeScript(conversation))
  return file
}
