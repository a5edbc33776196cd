import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { authenticationKey } from '../../src/wire/tpm/authentication-key.ts'
import { parseStorageKey } from '../../src/wire/tpm/storage-key.ts'
import { ensureDebian } from '../fixtures/debian.ts'
import { startSoftwareTpm, type SoftwareTpm } from './software-tpm.ts'

const run = promisify(execFile)
const srkAttributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let tpm: SoftwareTpm
let folder: string
let keys: { endorsementKey: Buffer; storageRootKey: Buffer }

before(async () => {
  await ensureDebian(['tpm2-tools', 'swtpm'])
  tpm = opened.use(await startSoftwareTpm('127.40.1.1'))
  folder = await mkdtemp(join(tmpdir(), 'key-import-'))
  opened.defer(() => rm(folder, { recursive: true }))
  await tool('createek', '-G', 'rsa', '-c', 'ek.ctx', '-u', 'ek.pub')
  await tool('createprimary', '-C', 'o', '-G', 'rsa2048', '-a', srkAttributes, '-c', 'srk.ctx')
  await tool('readpublic', '-c', 'srk.ctx', '-o', 'srk.pub')
  keys = { endorsementKey: await read('ek.pub'), storageRootKey: await read('srk.pub') }
})

test('a real TPM has the public areas that device-wire §5.1 shows', () => {
  assert.equal(keys.endorsementKey.length, 316)
  assert.equal(keys.storageRootKey.length, 284)
  const head = '011a0001000b00030472000000060080004300100800000000000100'
  assert.equal(keys.storageRootKey.subarray(0, 28).toString('hex'), head)
})

for (const length of [20, 32, 64])
  test(`tpm2-tools import a wrapped key of ${length} bytes into a real TPM, which then signs as we do`, async () => {
    const key = randomBytes(length)
    await importKey(wrapped(key))
    await write('message', Buffer.from('to be signed'))
    await tool('hmac', '-c', 'key.ctx', '-g', 'sha256', '-o', 'signature', 'message')
    assert.deepEqual(await read('signature'), createHmac('sha256', key).update('to be signed').digest())
  })

test('a key of 65 bytes is refused before it reaches a device', () => {
  assert.throws(() => wrapped(randomBytes(65)), RangeError)
})

test('a wrapped key that was altered, or made for another storage root key, is refused by the TPM', async () => {
  const altered = wrapped(randomBytes(32))
  altered.writeUInt8(altered[40]! ^ 1, 40)
  await assert.rejects(importKey(altered), /integrity/)
  await tool('createprimary', '-C', 'n', '-G', 'rsa2048', '-a', srkAttributes, '-c', 'other.ctx')
  await tool('readpublic', '-c', 'other.ctx', '-o', 'other.pub')
  const foreign = wrapped(randomBytes(32), await read('other.pub'))
  await assert.rejects(importKey(foreign), /integrity/)
})

function wrapped(key: Buffer, storageRootKey = keys.storageRootKey): Buffer {
  return authenticationKey({
    endorsementKey: parseStorageKey(keys.endorsementKey),
    storageRootKey: parseStorageKey(storageRootKey),
    key,
    uri: 'hub.example.net',
  })
}

/** What an SDK does with the blob, one tool for each TPM command. [device-wire §5.6] */
async function importKey(blob: Buffer): Promise<void> {
  const [idObject, secret, duplicate, seed, publicArea] = partsOf(blob)
  const credentialFile = Buffer.from('badcc0de00000001', 'hex')
  await write('credential', Buffer.concat([credentialFile, idObject!, secret!]))
  await tool('startauthsession', '--policy-session', '-S', 'session')
  await tool('policysecret', '-S', 'session', '-c', 'e')
  const activation = ['-c', 'srk.ctx', '-C', 'ek.ctx', '-i', 'credential', '-o', 'inner', '-P', 'session:session']
  await tool('activatecredential', ...activation).finally(() => tool('flushcontext', 'session'))
  await Promise.all([write('duplicate', duplicate!), write('seed', seed!), write('public', publicArea!)])
  const files = ['-i', 'duplicate', '-s', 'seed', '-u', 'public', '-k', 'inner', '-r', 'private']
  await tool('import', '-C', 'srk.ctx', ...files)
  await tool('load', '-C', 'srk.ctx', '-u', 'public', '-r', 'private', '-c', 'key.ctx')
}

/** The parts with their sizes in front, as TPM2B structures. */
function partsOf(blob: Buffer): Buffer[] {
  const parts: Buffer[] = []
  for (let at = 0; at < blob.length;) {
    const end = at + 2 + blob.readUInt16BE(at)
    parts.push(blob.subarray(at, end))
    at = end
  }
  return parts
}

/** Nothing manages this TPM's few slots, so each tool leaves them empty: its objects come back from their context files. */
async function tool(name: string, ...args: string[]): Promise<void> {
  const options = { cwd: folder, env: { ...process.env, TPM2TOOLS_TCTI: tpm.tcti } }
  try {
    await run(`tpm2_${name}`, args, options)
  } finally {
    await run('tpm2_flushcontext', ['-t'], options)
  }
}

function read(file: string): Promise<Buffer> {
  return readFile(join(folder, file))
}

function write(file: string, bytes: Buffer): Promise<void> {
  return writeFile(join(folder, file), bytes)
}
