import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { askHttps, type HttpsAnswer } from '../fixtures/https.ts'
import type { Service } from '../fixtures/service.ts'

/** Strangers at a port; disposing it ends them. */
export interface Flood extends AsyncDisposable {
  /** How many have connected so far, those that came again included. */
  readonly connected: () => number
}

const mostAgain = 20_000
const anotherMachine = '127.0.0.77'

/**
 * So many sockets at once that each do the same after they have connected; with `again`, each that is cut comes at once again, up
 * to 20,000 times in all. Those come from another machine than devices and operators: whoever shares an address with such a flood is
 * let in by chance.
 */
export async function flood(options: {
  readonly host: string
  readonly port: number
  readonly sockets: number
  readonly again?: boolean
  readonly connected?: (socket: Socket) => void
}): Promise<Flood> {
  const { host, port, sockets, again = false } = options
  const open = new Set<Socket>()
  let connected = 0
  let over = false
  const come = (): void => {
    if (over || connected >= mostAgain) return
    const socket = connect({ port, host, ...(again && { localAddress: anotherMachine }) })
    open.add(socket)
    socket.on('connect', () => {
      connected++
      options.connected?.(socket)
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      open.delete(socket)
      if (again) setImmediate(come)
    })
  }
  for (let count = 0; count < sockets; count++) come()
  const limit = Date.now() + 20_000
  const areHere = (): boolean => connected >= sockets || Date.now() > limit
  while (!areHere()) await wait(20)
  return {
    connected: () => connected,
    [Symbol.asyncDispose]: async () => {
      over = true
      for (const socket of open) socket.destroy()
      await wait(100)
    },
  }
}

/** The files that the service has open. */
export function openFiles(service: Service): number {
  return readdirSync(`/proc/${service.pid()}/fd`).length
}

/** Memory that the service holds, in megabytes. */
export function residentMegabytes(service: Service): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${service.pid()}/status`, 'utf8'))?.[1]) / 1024
}

/** A request to the control plane, as the administrator. */
export function askControlPlane(service: Service, path: string): Promise<HttpsAnswer> {
  const facts = readFileSync(join(service.dataFolder, 'connection.env'), 'utf8')
  const fact = (name: string) => new RegExp(`^HUBWARD_MANAGEMENT_${name}='(.*)'$`, 'm').exec(facts)?.[1] ?? ''
  const { hostname, port } = new URL(fact('ENDPOINT'))
  const headers = { authorization: `Bearer ${fact('TOKEN')}` }
  return askHttps(hostname, Number(port), service.ca, { method: 'GET', path, headers })
}

/** Where the control plane listens. */
export function controlPlaneOf(service: Service): { readonly host: string; readonly port: number } {
  const facts = readFileSync(join(service.dataFolder, 'connection.env'), 'utf8')
  const { hostname, port } = new URL(/^HUBWARD_MANAGEMENT_ENDPOINT='(.*)'$/m.exec(facts)?.[1] ?? '')
  return { host: hostname, port: Number(port) }
}

/** The values of a metric whose labels hold this text, added up. */
export async function metric(service: Service, name: string, labels = ''): Promise<number> {
  const { text } = await askControlPlane(service, '/metrics')
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) && line.includes(labels))
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** Waits until the service holds so many connections to its device ports, none unless said, and files as `before`; fails after 40 s. */
export async function comesBack(service: Service, before: number, kept = 0): Promise<void> {
  let files = Infinity
  let connections = Infinity
  for (const limit = Date.now() + 40_000; Date.now() < limit; await wait(250)) {
    connections = await metric(service, 'dps_connections', 'listener="device"')
    files = openFiles(service)
    if (connections === kept && files <= before + fewMore) return
  }
  throw new Error(`${connections} connections and ${files} open files are left of ${before}`)
}

/** The question itself has a connection, and the databases may open a file as they are used. */
const fewMore = 6
