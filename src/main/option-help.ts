import { settingEntries } from './settings.ts'

/** What `--help` prints: the options of the service, one a line, below what is particular to the command. */
export function usage(head: string): string {
  const options = [
    ['--config FILE', 'A JSON file with settings.'],
    ...settingEntries().map(([, { flag, fallback, purpose }]) => {
      const value = Array.isArray(fallback) ? fallback.join(',') : String(fallback)
      return [`--${flag} VALUE`, value === '' ? purpose : `${purpose} (${value})`]
    }),
    ['--help', 'Prints this.'],
  ] as const
  const width = Math.max(...options.map(([option]) => option.length))
  const lines = options.map(([option, purpose]) => `  ${option.padEnd(width)}  ${purpose.replaceAll('`', '')}`)
  return `${head}\n\nThe options of the service (docs/configuration.md), with their defaults:\n\n${lines.join('\n')}\n`
}
