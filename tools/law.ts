/** The directories of `src` in the order of the law: each may import from those to its right, and from none to its left. */
export const line: readonly string[] = [
  'main',
  'transport',
  'access',
  'instances',
  'enrollment',
  'registration',
  'attestation',
  'allocation',
  'hub',
  'decisions',
  'store',
  'model',
  'base',
]

/** The directories beside the line: what each may import, and who on the line may import it. */
export const beside: Readonly<Record<string, { readonly imports: readonly string[]; readonly by: readonly string[] }>> =
  {
    wire: { imports: ['base'], by: line.filter((room) => room !== 'model' && room !== 'base') },
    sqlite: { imports: ['base'], by: ['main', 'store'] },
    'bundled-hub': { imports: ['wire', 'sqlite', 'base'], by: ['main'] },
    cli: { imports: ['wire', 'base'], by: [] },
  }

/** Every directory that the law knows. */
export const rooms: readonly string[] = [...line, ...Object.keys(beside)]

/** Whether a file in `src/<from>` may import from `src/<to>`. */
export function mayImport(from: string, to: string): boolean {
  if (from === to) return true
  if (!line.includes(from)) return beside[from]?.imports.includes(to) ?? false
  return line.includes(to) ? line.indexOf(to) > line.indexOf(from) : (beside[to]?.by.includes(from) ?? false)
}

/** The linter's rule for each directory, made from the law. */
export function lintRules(): readonly object[] {
  return rooms.map((from) => {
    const [permitted, refused] = [true, false].map((may) => rooms.filter((to) => mayImport(from, to) === may))
    const message = `The law: src/${from} may import from ${permitted!.join(', ')} only. See docs/architecture.md.`
    const patterns = [{ group: refused!.map((to) => `**/${to}/**`), message }]
    return { files: [`src/${from}/**`], rules: { 'no-restricted-imports': ['error', { patterns }] } }
  })
}
