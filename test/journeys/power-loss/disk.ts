import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Event } from './recording.ts'

/** Which of what was not synced reached the disk all the same: nothing, everything, or sectors and names by chance. */
export type Unsynced = 'nothing' | 'everything' | (() => number)

type DataEvent = Extract<Event, { is: 'written' | 'truncated' }>
type NameEvent = Extract<Event, { is: 'created' | 'renamed' | 'unlinked' }>

interface File {
  /** What is on the disk for certain. */
  durable: Buffer
  pending: DataEvent[]
}

/** A disk writes a sector as a whole. */
const sector = 512

/**
 * A disk that may lose what was not synced: data of each file by itself, in any part; names (created, renamed, unlinked) in their
 * order, as a journal keeps them. Syncing a new file makes its name durable too.
 */
export class Disk {
  /** By inode number, as long as it stands for the same file. */
  readonly #open = new Map<bigint, File>()
  readonly #names = new Map<string, File>()
  #pendingNames: { readonly event: NameEvent; readonly file: File | undefined }[] = []
  /** How much was pending when a thread began to sync. */
  readonly #syncs = new Map<string, { readonly data: readonly DataEvent[]; readonly names: number }>()
  readonly #folders = new Set<bigint>()
  #forgotten = 0

  happen(event: Event): void {
    switch (event.is) {
      case 'created': {
        const file: File = { durable: Buffer.alloc(0), pending: [] }
        this.#open.set(event.file, file)
        this.#pendingNames.push({ event, file })
        return
      }
      case 'written':
      case 'truncated':
        this.#open.get(event.file)?.pending.push(event)
        return
      case 'renamed':
      case 'unlinked':
        this.#pendingNames.push({ event, file: undefined })
        return
      case 'folder':
        this.#folders.add(event.file)
        return
      case 'syncBegun': {
        const data = [...(this.#open.get(event.file)?.pending ?? [])]
        this.#syncs.set(keyOf(event), { data, names: this.#forgotten + this.#pendingNames.length })
        return
      }
      case 'syncEnded':
        return this.#synced(event)
      case 'acknowledged':
        return
    }
  }

  /** Write what a power failure at this moment leaves into the folder. */
  fail(folder: string, unsynced: Unsynced): void {
    const names = new Map(this.#names)
    const chance = typeof unsynced === 'function' ? unsynced : () => (unsynced === 'everything' ? 0 : 1)
    const kept = Math.floor((1 - chance()) * (this.#pendingNames.length + 1))
    const pending = unsynced === 'everything' ? this.#pendingNames : this.#pendingNames.slice(0, kept)
    if (unsynced !== 'nothing') for (const { event, file } of pending) rename(names, event, file)
    for (const [name, { durable, pending: data }] of names) {
      // Shared memory of processes that are no more.
      if (name.endsWith('-shm')) continue
      const content = data.reduce((bytes, event) => changed(bytes, event, (size) => chosen(size, chance)), durable)
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), content, { mode: 0o600 })
    }
  }

  #synced(event: Extract<Event, { is: 'syncEnded' }>): void {
    const begun = this.#syncs.get(keyOf(event))
    this.#syncs.delete(keyOf(event))
    if (!begun) return
    if (this.#folders.has(event.file)) {
      const count = begun.names - this.#forgotten
      for (const { event, file } of this.#pendingNames.slice(0, count)) rename(this.#names, event, file)
      this.#pendingNames = this.#pendingNames.slice(Math.max(count, 0))
      this.#forgotten += Math.max(count, 0)
      return
    }
    const file = this.#open.get(event.file)
    if (!file) return
    const durable = new Set(begun.data)
    for (const change of begun.data) file.durable = changed(file.durable, change, everySector)
    file.pending = file.pending.filter((change) => !durable.has(change))
    // A new file's name goes with it, unless something happened to that name since.
    const created = this.#pendingNames.find((pending) => pending.file === file)?.event
    if (created?.is === 'created' && !this.#names.has(created.name)) this.#names.set(created.name, file)
  }
}

function keyOf({ file, thread }: { readonly file: bigint; readonly thread: number }): string {
  return `${file}/${thread}`
}

function rename(names: Map<string, File>, event: NameEvent, created: File | undefined): void {
  if (event.is === 'created' && created) names.set(event.name, created)
  if (event.is === 'unlinked') names.delete(event.name)
  if (event.is !== 'renamed') return
  const file = names.get(event.from)
  if (file) names.set(event.to, file)
  names.delete(event.from)
}

/** The content after a change, of which only the chosen sectors arrived. */
function changed(bytes: Buffer, change: DataEvent, choose: (count: number) => readonly boolean[]): Buffer {
  if (change.is === 'truncated') {
    if (!choose(1)[0]) return bytes
    return Buffer.concat([bytes.subarray(0, change.length)], change.length)
  }
  const { at, bytes: written } = change
  const first = Math.floor(at / sector)
  const arrived = choose(Math.ceil((at + written.length) / sector) - first)
  const last = arrived.lastIndexOf(true)
  if (last < 0) return bytes
  const end = Math.min(at + written.length, (first + last + 1) * sector)
  const result = Buffer.concat([bytes], Math.max(bytes.length, end))
  for (const [index, here] of arrived.entries()) {
    if (!here) continue
    const from = Math.max(at, (first + index) * sector)
    written.copy(result, from, from - at, Math.min(written.length, (first + index + 1) * sector - at))
  }
  return result
}

function everySector(count: number): boolean[] {
  return Array.from({ length: count }, () => true)
}

function chosen(count: number, chance: () => number): boolean[] {
  return Array.from({ length: count }, () => chance() < 0.5)
}
