import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { makeWithChain, readIssuer } from './certificate-making.ts'
import { command } from './command.ts'
import { CommandFailure } from './failure.ts'
import { print } from './print.ts'

interface Wanted {
  readonly commonName?: string
  readonly verificationCode?: string
  readonly issuer: string
  readonly out: string
  readonly days: string
}

type Kind = 'root' | 'intermediate' | 'leaf' | 'proof'

const sentences: Readonly<Record<Kind, string>> = {
  root: 'Make a test root CA: <out>/<common name>.pem, -key.pem',
  intermediate: 'Make a test CA below another',
  leaf: 'Make a device certificate; its common name is the registration ID; -chain.pem is what a device sends',
  proof: 'Make the certificate that proves possession of a CA key',
}

/** `hubward certificate make-…`: certificates to try things out with. Their keys lie unencrypted in files. */
export function makeCommands(parent: Command): void {
  for (const kind of ['root', 'intermediate', 'leaf', 'proof'] as const) {
    const made = command<Wanted>(parent, `make-${kind}`, sentences[kind], async ({ options }) => {
      const name = options.verificationCode ?? options.commonName ?? ''
      const days = Number(options.days)
      if (!(days > 0 && days < 36_500)) throw new CommandFailure(`--days ${options.days} is no number of days.`)
      const issuer = kind === 'root' ? undefined : readIssuer(options.issuer)
      const { certificate, key, chain } = await makeWithChain({
        commonName: name,
        ca: kind === 'root' || kind === 'intermediate',
        days,
        issuer,
      })
      mkdirSync(options.out, { recursive: true })
      const base = join(options.out, name.replaceAll(/[^\w.-]+/g, '-'))
      const files = { certificate: `${base}.pem`, key: `${base}-key.pem`, chain: `${base}-chain.pem` }
      if (existsSync(files.key))
        throw new CommandFailure(`${files.key} exists.`, 'Choose another --common-name or --out.')
      writeFileSync(files.key, key, { mode: 0o600 })
      writeFileSync(files.certificate, certificate)
      writeFileSync(files.chain, chain)
      print(files, { Certificate: 'certificate', Key: 'key', Chain: 'chain' }, options)
    })
    if (kind === 'proof') made.requiredOption('--code, --verification-code <text>', 'from "generate-verification-code"')
    else made.requiredOption('--cn, --common-name <text>', kind === 'leaf' ? 'the registration ID' : 'its name')
    if (kind !== 'root')
      made.requiredOption('--issuer <file>', "the CA's certificate; its key lies beside it as <name>-key.pem")
    made
      .option('--out <folder>', 'where to put the files', '.')
      .option('--days <number>', 'how long it is valid', kind === 'leaf' ? '365' : '3650')
  }
}
