import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { settingsTable } from '../src/main/settings.ts'

// Writes docs/configuration.md from the table of settings; a test fails while the two differ.
const page = `# Configuration

A setting may stand in a JSON file (\`--config FILE\` or \`HUBWARD_CONFIG\`), in the environment, or on the command line
(\`npm start -- --data DIR\`); the later of these wins. An unknown key or a bad value is refused at the start, with the key's
name and what was expected. In a file, lists may be arrays. This page is made by \`npm run docs\`.

${settingsTable()}
`

writeFileSync(join(import.meta.dirname, '../docs/configuration.md'), page)
