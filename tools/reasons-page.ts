import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reasonsPage } from '../src/decisions/reasons-page.ts'

// Writes docs/reasons.md from the table of advice; a test fails while the two differ.
writeFileSync(join(import.meta.dirname, '../docs/reasons.md'), reasonsPage())
