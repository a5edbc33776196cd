import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { openPythonRunner, type DeviceRunner } from '../../sdk/runner.ts'
import { ensureDebian } from '../fixtures/debian.ts'
import { startSoftwareTpm } from '../tpm/software-tpm.ts'
import { tpmPackages } from './debian-files.ts'
import { assertProvisioned, openPlant, type Plant } from './plant.ts'
import { startResourceManager } from './resource-manager.ts'

const opened = new AsyncDisposableStack()
after(() => opened.disposeAsync())

let plant: Plant
let folder: string
let environment: Readonly<Record<string, string>>
let devices: DeviceRunner

before(async () => {
  await ensureDebian([...Object.keys(tpmPackages), 'tpm2-openssl', 'openssl'])
  plant = opened.use(await openPlant('127.41.3'))
  const tpm = opened.use(await startSoftwareTpm('127.41.9.2'))
  const manager = opened.use(await startResourceManager(tpm.tcti))
  folder = await mkdtemp(join(tmpdir(), 'tpm-openssl-'))
  opened.defer(() => rm(folder, { recursive: true }))
  const configuration = join(folder, 'openssl.cnf')
  await writeFile(configuration, providers)
  environment = { ...manager.environment, TPM2OPENSSL_TCTI: manager.tcti, OPENSSL_CONF: configuration }
  devices = opened.use(await openPythonRunner({ caFile: plant.service.caFile, environment }))
})

test('the Python SDK takes the file of a TPM key that tpm2-openssl made, by its own certificate', async () => {
  const key = await makeKey('own')
  const certificate = await openssl('req', '-x509', '-new', '-key', join(folder, 'own.pem'), '-subj', '/CN=own')
  await plant.enrollCertificate('own', certificate)
  assertProvisioned(await plant.register(devices, 'own', 'mqtt', { certificate, key }), 'own', 'own')
})

test('the Python SDK takes the file of a TPM key that tpm2-openssl made, by its group', async () => {
  const key = await makeKey('member')
  const request = await openssl('req', '-new', '-key', join(folder, 'member.pem'), '-subj', '/CN=member')
  const certificate = await plant.sign(request)
  assertProvisioned(await plant.register(devices, 'member', 'mqtt-ws', { certificate, key }), 'member', 'pumps')
})

test('the file of a TPM key is of no use to another TPM', async () => {
  const key = await makeKey('bound')
  const certificate = await plant.sign(
    await openssl('req', '-new', '-key', join(folder, 'bound.pem'), '-subj', '/CN=bound'),
  )
  await using tpm = await startSoftwareTpm('127.41.9.3')
  await using manager = await startResourceManager(tpm.tcti)
  const elsewhere = { ...environment, ...manager.environment }
  await using thief = await openPythonRunner({ caFile: plant.service.caFile, environment: elsewhere })
  assert.equal((await plant.register(thief, 'bound', 'mqtt', { certificate, key })).ok, false)
  assertProvisioned(await plant.register(devices, 'bound', 'mqtt', { certificate, key }), 'bound', 'pumps')
})

/** Gives the text of the key's file, which holds it encrypted by the TPM. */
async function makeKey(name: string): Promise<string> {
  const file = join(folder, `${name}.pem`)
  await openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'bits:2048', '-out', file)
  const text = await readFile(file, 'utf8')
  assert.match(text, /^-----BEGIN TSS2 PRIVATE KEY-----/)
  return text
}

async function openssl(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('openssl', args, { env: { ...process.env, ...environment } })
  return stdout
}

/** The TPM first, and preferred for keys, not for digests and ciphers, which it is slow at. */
const providers = `openssl_conf = device
[device]
providers = providers
alg_section = algorithms
[providers]
tpm2 = tpm2_provider
default = default_provider
[tpm2_provider]
activate = 1
[default_provider]
activate = 1
[algorithms]
default_properties = ?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes
`
