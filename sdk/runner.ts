import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ensureNodeSdk, ensurePythonSdk } from './install.ts'

/** One device's way through an official SDK: register at the provisioning host, then, with `connect`, read its twin at the hub. */
export interface ProvisioningJob {
  readonly host: string
  readonly idScope: string
  readonly registrationId: string
  readonly transport: DeviceTransport
  readonly attestation: DeviceCredential
  readonly payload?: unknown
  readonly connect?: boolean
  /** Reported to the hub after the twin was read. */
  readonly report?: object
  /** Sent to the hub as a message. */
  readonly telemetry?: string
  /** MQTT if not said. Over HTTPS a device has no twin; the Python SDK has the two MQTT transports only. */
  readonly hubTransport?: DeviceTransport
}

/** The Python SDK has the two MQTT transports only. */
export type DeviceTransport = 'http' | 'mqtt' | 'mqtt-ws' | 'amqp' | 'amqp-ws'

/**
 * `symmetricKey` is base64; `certificate` (leaf first, then what the device sends of its chain) is PEM, and so is `key`, unless it
 * names a key in a security module by its PKCS#11 URI (Node SDK). `tpm` is where a TPM speaks the simulator's protocol (Node SDK,
 * one job at a time for each TPM); `hmac` is a symmetric key in a security module (Node SDK).
 */
export type DeviceCredential =
  | { readonly symmetricKey: string }
  | { readonly certificate: string; readonly key: string }
  | { readonly tpm: { readonly host: string; readonly port: number } }
  | { readonly hmac: HmacKey }

/** A symmetric key that a PKCS#11 module signs with: the module's library, then where in it the key is; the ID is in hex. */
export interface HmacKey {
  readonly library: string
  readonly token: string
  readonly id: string
  readonly pin: string
}

/** What the SDK made of it; with `ok` false, `error` is the SDK's own. `milliseconds` is the registration alone. */
export interface ProvisioningResult {
  readonly ok: boolean
  readonly assignedHub?: string
  readonly deviceId?: string
  readonly status?: string
  readonly substatus?: string
  readonly payload?: unknown
  readonly twin?: { readonly desired: Record<string, unknown>; readonly reported: Record<string, unknown> }
  readonly milliseconds: number
  readonly error?: { readonly name: string; readonly message: string; readonly errorCode?: number }
}

/** A process that holds one SDK. `run` never rejects for what the SDK reports, only when the process cannot answer. */
export interface DeviceRunner extends AsyncDisposable {
  readonly run: (job: ProvisioningJob) => Promise<ProvisioningResult>
}

export interface RunnerOptions {
  readonly caFile: string
  /** Set for the SDK's process beside what this one has: where a security module is, for instance. */
  readonly environment?: Readonly<Record<string, string>>
}

/** Devices of the official Node SDK, trusting the CA certificates in `caFile`; installs the SDK when it is missing. */
export async function openNodeRunner({ caFile, environment }: RunnerOptions): Promise<DeviceRunner> {
  const folder = await ensureNodeSdk()
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: caFile, ...environment }
  return converse('The Node SDK', spawn(process.execPath, [join(folder, 'provision.mjs')], { env }))
}

/** Devices of the official Python SDK, trusting the CA certificates in `caFile`; installs the SDK when it is missing. */
export async function openPythonRunner({ caFile, environment }: RunnerOptions): Promise<DeviceRunner> {
  const packages = await ensurePythonSdk()
  const program = join(import.meta.dirname, 'python', 'provision.py')
  const env = { ...process.env, PYTHONPATH: packages, PYTHONUNBUFFERED: '1', ...environment }
  return converse('The Python SDK', spawn('python3', [program, caFile], { env }))
}

interface Waiting {
  readonly resolve: (result: ProvisioningResult) => void
  readonly reject: (error: Error) => void
}

const patience = 90_000

function converse(name: string, child: ChildProcessWithoutNullStreams): DeviceRunner {
  const waiting = new Map<number, Waiting>()
  let complaint = ''
  let jobs = 0
  child.stderr.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)))
  child.stdin.on('error', () => undefined)
  const ended = new Promise<void>((resolve) => {
    const end = (why: string): void => {
      for (const { reject } of waiting.values()) reject(new Error(`${name} ${why}: ${complaint}`))
      waiting.clear()
      resolve()
    }
    child.once('error', (error) => end(`could not be started (${error.message})`))
    child.once('close', (code) => end(`ended with ${code}`))
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { number, result } = JSON.parse(line) as { number: number; result: ProvisioningResult }
    waiting.get(number)?.resolve(result)
    waiting.delete(number)
  })
  return {
    run: (job) =>
      new Promise((resolve, reject) => {
        const number = ++jobs
        const late = setTimeout(() => {
          if (waiting.delete(number)) reject(new Error(`${name} gave no answer within ${patience} ms: ${complaint}`))
        }, patience)
        waiting.set(number, {
          resolve: (result) => (clearTimeout(late), resolve(result)),
          reject: (error) => (clearTimeout(late), reject(error)),
        })
        if (!child.stdin.writable) return waiting.get(number)?.reject(new Error(`${name} has ended: ${complaint}`))
        child.stdin.write(JSON.stringify({ number, job }) + '\n')
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
