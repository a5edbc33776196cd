/** One device's way, as the demo shows it. */
export interface Row {
  readonly device: string
  readonly attestation: string
  readonly transport: string
  readonly hub: string
  readonly milliseconds: number
  /** What the device read of its twin. */
  readonly twin: string
  /** Why it did not come through. */
  readonly problem?: string | undefined
}

/** The row of devices that need Debian packages which are not on this machine: no failure of the service. */
export function notShown(attestation: string, packages: readonly string[]): Row {
  const twin = `not shown: install ${packages.join(', ')} (Debian: apt-get install ${packages.join(' ')})`
  return { device: '–', attestation, transport: '–', hub: '–', milliseconds: 0, twin }
}

/** Print the rows under their headings. */
export function printTable(rows: readonly Row[]): void {
  const lines = rows.map(({ device, attestation, transport, hub, milliseconds, twin, problem }) => [
    device,
    attestation,
    transport,
    hub,
    String(milliseconds),
    problem ?? twin,
  ])
  const all = [['device', 'attestation', 'transport', 'assigned hub', 'ms', 'twin read'], ...lines]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((line) => line[column]!.length)))
  for (const [index, line] of all.entries()) {
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    if (index === 0) console.log(widths.map((width) => '─'.repeat(width)).join('  '))
  }
}
