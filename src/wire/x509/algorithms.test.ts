import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { after, test } from 'node:test'
import { fieldsOf } from './certificate-fields.ts'

const folder = mkdtempSync(join(tmpdir(), 'hubward-algorithms-'))
after(() => rmSync(folder, { recursive: true }))

const rsa = ['-newkey', 'rsa:2048']
const pss = (hash: string, mask = hash) =>
  `-newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 -${hash} -sigopt rsa_padding_mode:pss -sigopt rsa_mgf1_md:${mask}`.split(
    ' ',
  )
const curve = (name: string, ...more: string[]) => [
  '-newkey',
  'ec',
  '-pkeyopt',
  `ec_paramgen_curve:${name}`,
  ...more.flatMap((option) => ['-pkeyopt', option]),
]

/** What OpenSSL is told, the key it makes, and the weakest hash of the signature. */
const cases: readonly (readonly [options: readonly string[], key: string, hash: string | undefined])[] = [
  [[...rsa, '-sha256'], 'rsa 2048', 'sha256'],
  [[...rsa, '-sha1'], 'rsa 2048', 'sha1'],
  [['-newkey', 'rsa:1024', '-sha512'], 'rsa 1024', 'sha512'],
  [pss('sha384'), 'rsa 2048', 'sha384'],
  [pss('sha1'), 'rsa 2048', 'sha1'],
  [pss('sha256', 'sha1'), 'rsa 2048', 'sha1'],
  [[...curve('P-256'), '-sha256'], 'ec P-256', 'sha256'],
  [[...curve('P-521'), '-sha512'], 'ec P-521', 'sha512'],
  [[...curve('secp256k1'), '-sha256'], 'ec 1.3.132.0.10', 'sha256'],
  [[...curve('P-256', 'ec_param_enc:explicit'), '-sha256'], 'ec spelled out', 'sha256'],
  [['-newkey', 'ed25519'], 'other Ed25519', undefined],
]

for (const [options, key, hash] of cases) {
  test(`${options.join(' ')} is ${key}, signed with ${hash ?? 'what is not taken'}`, () => {
    const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'certificate.pem')]
    execFileSync('openssl', ['req', '-x509', ...options, '-noenc', '-subj', '/CN=x', ...files], { stdio: 'pipe' })
    const fields = fieldsOf(new X509Certificate(readFileSync(join(folder, 'certificate.pem'))))
    const { type, ...found } = fields.key
    assert.equal(`${type} ${'bits' in found ? found.bits : Object.values(found)[0]}`, key)
    assert.equal(fields.signature.hash, hash)
  })
}
