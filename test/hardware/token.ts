import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { HmacKey } from '../../sdk/runner.ts'
import { pkcs11Engine } from './debian-files.ts'

/** A token of a PKCS#11 module: its keys sign inside it. What is made and asked here is done by the tools of OpenSC and GnuTLS. */
export interface Token {
  /** For the process of a device, so that it finds the module and the token. */
  readonly environment: Readonly<Record<string, string>>
  /** Makes a key pair inside the token; gives the PKCS#11 URI of the private key, with the PIN. */
  readonly makeKeyPair: (label: string, options?: KeyPairOptions) => Promise<string>
  /** A PEM certificate of this key's own, with its label as common name. */
  readonly selfSigned: (label: string) => Promise<string>
  /** A PEM certificate request, signed with the key of this label, which is the common name that it asks for. */
  readonly request: (label: string) => Promise<string>
  /** Puts a base64 key into the token, from where on it can only be used. */
  readonly holdKey: (label: string, key: string) => Promise<HmacKey>
  /** What comes of trying to take the key of this label out of the token, with its PIN. */
  readonly steal: (label: string) => Promise<Theft>
}

export interface KeyPairOptions {
  /** As pkcs11-tool names it; EC:prime256v1 unless said. */
  readonly type?: 'EC:prime256v1' | 'EC:secp384r1' | 'rsa:2048'
  /** For the counter-proof: a key that its token would hand out. */
  readonly extractable?: boolean
}

export interface Theft {
  readonly sensitive: boolean
  readonly extractable: boolean
  readonly neverExtractable: boolean
  /** The value that the token gave, in hex. */
  readonly value: string | null
  /** How many bytes the token gave wrapped, or the error by which it refused. */
  readonly wrapped: number | string
}

const run = promisify(execFile)
const token = 'device'
const pin = '648219'

/** Initializes the first token of the module. Its files go into `folder`; `location` is what the module reads from the environment. */
export async function openToken(
  library: string,
  folder: string,
  location: Readonly<Record<string, string>>,
): Promise<Token> {
  const configuration = join(folder, 'openssl.cnf')
  await writeFile(configuration, engineConfiguration(library))
  const env = { ...process.env, ...location, DEVICE_PIN: pin, GNUTLS_PIN: pin }
  const pkcs11 = (...args: string[]) => run('pkcs11-tool', ['--module', library, ...args], { env })
  const session = ['--token-label', token, '--login', '--pin', 'env:DEVICE_PIN']
  await pkcs11('--slot-index', '0', '--init-token', '--label', token, '--so-pin', pin)
  await pkcs11('--token-label', token, '--login', '--login-type', 'so', '--so-pin', pin, '--init-pin', '--pin', pin)

  const certify = async (label: string, what: 'request' | 'self-signed'): Promise<string> => {
    const template = join(folder, `${label}.template`)
    await writeFile(template, `cn = "${label}"\ntls_www_client\nsigning_key\nexpiration_days = 30\n`)
    const uri = `pkcs11:token=${token};object=${label}`
    const keys = ['--load-privkey', `${uri};type=private`, '--load-pubkey', `${uri};type=public`]
    const order = ['--provider', library, `--generate-${what}`, ...keys, '--template', template]
    const { stdout } = await run('certtool', order, { env })
    return stdout.slice(stdout.indexOf('-----BEGIN'))
  }
  return {
    environment: {
      ...location,
      NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --openssl-config=${configuration}`,
    },
    makeKeyPair: async (label, { type = 'EC:prime256v1', extractable = false } = {}) => {
      const options = extractable ? ['--extractable'] : []
      await pkcs11(...session, '--keypairgen', '--key-type', type, ...named(label), '--usage-sign', ...options)
      return `pkcs11:token=${token};object=${label};type=private;pin-value=${pin}`
    },
    selfSigned: (label) => certify(label, 'self-signed'),
    request: (label) => certify(label, 'request'),
    holdKey: async (label, key) => {
      const file = join(folder, `${label}.key`)
      await writeFile(file, Buffer.from(key, 'base64'), { mode: 0o600 })
      await pkcs11(...session, '--write-object', file, '--type', 'secrkey', ...named(label), '--sensitive', '--private')
      return { library, token, id: idOf(label), pin }
    },
    steal: async (label) => {
      // Debian's own interpreter has Debian's PyKCS11.
      const program = join(import.meta.dirname, 'export.py')
      const { stdout } = await run('/usr/bin/python3', [program, library, token, pin, label], { env })
      return JSON.parse(stdout) as Theft
    },
  }
}

/** The ID is what ties the two halves of a key pair to each other, so no two pairs may share it. */
function named(label: string): string[] {
  return ['--label', label, '--id', idOf(label)]
}

function idOf(label: string): string {
  return Buffer.from(label).toString('hex')
}

/** Node reads the section that `nodejs_conf` names. */
function engineConfiguration(library: string): string {
  return `nodejs_conf = device
[device]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
dynamic_path = ${pkcs11Engine}
MODULE_PATH = ${library}
`
}
