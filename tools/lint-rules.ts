import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { lintRules, rooms } from './law.ts'

// Writes the law into the linter's configuration, in place of what it said of these directories before.
const file = join(import.meta.dirname, '..', '.oxlintrc.json')
const configuration = JSON.parse(readFileSync(file, 'utf8')) as { overrides: { files: readonly string[] }[] }
const others = configuration.overrides.filter(({ files }) => !rooms.some((room) => files.includes(`src/${room}/**`)))
const text = JSON.stringify({ ...configuration, overrides: [...lintRules(), ...others] })
writeFileSync(file, await format(text, { ...(await resolveConfig(file)), filepath: file }))
