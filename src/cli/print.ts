import type { CommonOptions } from './common-options.ts'
import type { JsonRecord } from './api-session.ts'
import { printable, printableJson } from '../base/printable.ts'

/** Columns of a table: a heading, and the path of a member or what makes the cell. */
export type Columns = Readonly<Record<string, string | ((row: JsonRecord) => unknown)>>

/** Print what a command came to, as JSON or as a table of these columns. */
export function print(result: JsonRecord | readonly JsonRecord[], columns: Columns, { output }: CommonOptions): void {
  process.stdout.write(
    output === 'json' ? `${printableJson(JSON.stringify(result, undefined, 2))}\n` : table([result].flat(), columns),
  )
}

/** Print a sentence for a person. It goes beside the output, so that a pipe gets JSON only. */
export function tell(sentence: string): void {
  process.stderr.write(`${printable(sentence)}\n`)
}

function table(rows: readonly JsonRecord[], columns: Columns): string {
  if (rows.length === 0) return '(none)\n'
  const headings = Object.keys(columns)
  const cells = rows.map((row) => Object.values(columns).map((column) => shown(cell(row, column))))
  const widths = headings.map((heading, at) => Math.max(heading.length, ...cells.map((line) => line[at]!.length)))
  const write = (line: readonly string[]) =>
    line
      .map((text, at) => text.padEnd(widths[at]!))
      .join('  ')
      .trimEnd()
  return [headings, widths.map((width) => '-'.repeat(width)), ...cells].map((line) => `${write(line)}\n`).join('')
}

function cell(row: JsonRecord, column: Columns[string]): unknown {
  if (typeof column !== 'string') return column(row)
  return column
    .split('.')
    .reduce<unknown>(
      (value, member) => (typeof value === 'object' && value ? Reflect.get(value, member) : undefined),
      row,
    )
}

/** What a service sent cannot write to the terminal. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return ''
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return printable(text)
}
