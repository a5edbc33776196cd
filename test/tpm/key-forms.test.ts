import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { publicOfBytes, publicOfText, type KeyRole } from '../../src/wire/tpm/key-forms.ts'
import { ensureDebian } from '../fixtures/debian.ts'
import { startSoftwareTpm, type SoftwareTpm } from './software-tpm.ts'

const run = promisify(execFile)
const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let tpm: SoftwareTpm
let folder: string
/** What an SDK sends of this TPM. */
let endorsementKey: Buffer

/** Writes TPM2B_PUBLIC as tpm2-tools 2 did: as it lies in memory. */
const dump = `#include <stdio.h>
#include <tss2/tss2_mu.h>
int main(void) {
  uint8_t bytes[1024];
  size_t offset = 0, length = fread(bytes, 1, sizeof bytes, stdin);
  TPM2B_PUBLIC key = {0};
  if (Tss2_MU_TPM2B_PUBLIC_Unmarshal(bytes, length, &offset, &key)) return 1;
  return fwrite(&key, sizeof key, 1, stdout) == 1 ? 0 : 1;
}`

before(async () => {
  await ensureDebian(['tpm2-tools', 'swtpm', 'openssl', 'gcc', 'libc6-dev', 'libtss2-dev', 'xxd'])
  tpm = opened.use(await startSoftwareTpm('127.40.1.7'))
  folder = await mkdtemp(join(tmpdir(), 'key-forms-'))
  opened.defer(() => rm(folder, { recursive: true }))
  // Nothing manages the few slots of this TPM: each tool leaves them empty.
  await shell('tpm2_createek -G rsa -c ek.ctx -u ek.pub; tpm2_flushcontext -t')
  await shell(
    'for form in tss tpmt pem der; do tpm2_readpublic -c ek.ctx -f $form -o ek.$form -n ek.name > ek.yaml; tpm2_flushcontext -t; done',
  )
  await shell('openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj "/CN=Maker of TPMs" -days 9')
  await shell('openssl x509 -new -force_pubkey ek.pem -subj / -CA ca.pem -CAkey ca.key -days 9 -out cert.pem')
  await shell(
    'openssl x509 -in cert.pem -outform der -out cert.der; head -c 100 /dev/zero | tr "\\\\0" "\\\\377" > fill',
  )
  await shell('cat cert.der fill > nv.bin')
  await writeFile(join(folder, 'dump.c'), dump)
  await shell('gcc -o dump dump.c -ltss2-mu && ./dump < ek.tss > old.pub')
  endorsementKey = await file('ek.tss')
})

for (const [what, command] of [
  ['what tpm2-tools write', 'base64 -w0 ek.tss'],
  ['in lines of 76 columns', 'base64 ek.tss'],
  ['in lines that end as on Windows', 'base64 ek.tss | sed "s/$/\\r/"'],
  ['with the alphabet for URLs', 'base64 -w0 ek.tss | tr "+/" "-_"'],
  ['in hex', 'xxd -p -c 1000 ek.tss'],
  ['in hex, in capitals and lines', 'xxd -p -u ek.tss'],
  ['without its size', 'base64 ek.tpmt'],
  ['without its size, in hex', 'xxd -p ek.tpmt'],
  ['the public key in PEM', 'cat ek.pem'],
  ['the public key in DER', 'base64 ek.der'],
  ['the public key as PKCS#1', 'openssl rsa -pubin -in ek.pem -RSAPublicKey_out'],
  ['the certificate in PEM', 'cat cert.pem'],
  ['the certificate in PEM, with what openssl prints of it', 'openssl x509 -in cert.pem -text'],
  ['the certificate in DER', 'base64 cert.der'],
  ['the certificate as it lies in the memory of the TPM', 'base64 nv.bin'],
  ['the structure of old tpm2-tools', 'base64 old.pub'],
  ['the structure of old tpm2-tools, in hex', 'xxd -p old.pub'],
] as const)
  test(`an endorsement key is read from ${what}`, async () => {
    assert.deepEqual(publicOfText(await shell(command), 'endorsement key'), endorsementKey)
  })

test('over SASL, where keys are bytes, the same forms are read', async () => {
  for (const name of ['ek.tss', 'ek.tpmt', 'ek.der', 'cert.der', 'nv.bin', 'old.pub']) {
    assert.deepEqual(publicOfBytes(await file(name), 'endorsement key'), endorsementKey, name)
  }
})

for (const [what, command, says, role = 'endorsement key'] of [
  [
    'an elliptic curve key',
    'tpm2_createek -G ecc -c ec.ctx -u ec.pub -f pem >/dev/null; tpm2_flushcontext -t; cat ec.pub',
    /elliptic curve key/,
  ],
  ['an RSA key of 3072 bits', 'openssl genrsa 3072 | openssl rsa -pubout', /3072 bits in PEM or DER; only of 2048/],
  ['a private key', 'cat ca.key', /PEM block of PRIVATE KEY; expected PUBLIC KEY or CERTIFICATE/],
  ['a context file', 'base64 ek.ctx', /context file of tpm2-tools: "tpm2_readpublic/],
  ['the name of the key', 'base64 ek.name', /name of a key \(a digest\), not the key/],
  ['what is printed of it', 'cat ek.yaml', /what tpm2_readpublic prints/],
  ['half a PEM', 'head -3 ek.pem', /PEM without its end/],
  ['a digest', 'sha256sum ek.tss | cut -c1-64', /32 bytes, as a digest of a key has/],
  ['other words', 'echo no key at all!', /neither base64, hex nor PEM/],
  ['nothing', 'echo', /it is empty/],
  ['a root key without its attributes', 'cat ek.pem', /send its TPM2B_PUBLIC/, 'storage root key'],
] as const satisfies readonly (readonly [string, string, RegExp, KeyRole?])[])
  test(`${what} is told from a key, by name`, async () => {
    const text = await shell(command)
    assert.throws(() => publicOfText(text, role), { name: 'MalformedTpmStructure', message: says })
  })

async function shell(command: string): Promise<string> {
  const options = { cwd: folder, env: { ...process.env, TPM2TOOLS_TCTI: tpm.tcti } }
  return (await run('sh', ['-e', '-c', command], options)).stdout
}

function file(name: string): Promise<Buffer> {
  return readFile(join(folder, name))
}
