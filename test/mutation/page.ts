import { execFileSync } from 'node:child_process'
import { root } from './tree.ts'

/** docs/mutation.md: what a run found, and what was judged about it. */
export function page(seed: string, counts: string, survivors: string): string {
  const commit = execFileSync('git', ['log', '-1', '--format=%h'], { cwd: root, encoding: 'utf8' }).trim()
  return `# Mutation

A test that passes has shown something only if it would fail for a service that is wrong. \`npm run mutation\` puts one small fault
after another into a copy of the sources (\`<\` for \`<=\`, a condition that is always true, a statement left out, …) and runs the
tests that cover its place. This page is what it found, made by \`npm run mutation -- --page\`: on
${new Date().toISOString().slice(0, 10)}, after commit ${commit}, with the seed \`${seed}\`.

Each room's mutants are drawn by the seed from all that it has, so the figures are estimates: with 150 of them, give or take six
points. *Noticed* is the share of mutants for which a test failed or did not end, of all but the equivalent ones, which no test
can notice. *Not covered* ran in no test of the run; the tests with the official SDKs are not part of it.

${counts}
What was judged about a survivor stands in [judged.json](../test/mutation/judged.json), by its line and its fault. A run names every
survivor that nobody has judged, and every judgement whose line has gone, and ends with 1 for the former.

- **equivalent**: the service does the same with it
- **harmless**: it does something else that matters to nobody: a hint, a diagnosis, a limit by one
- **open**: it matters, and a test is missing

Some faults are planted by name, whatever the seed draws: [planted.json](../test/mutation/planted.json) says which tests are there
to notice each of them, and \`npm run mutation -- --planted\` shows that they do. Among them: who may issue certificates, the
dates of anchors and issuers, tokens without an expiry, syncs left out, the escaping of the log, and the modes of files.

## Survivors

${survivors}`
}
