import { execFileSync } from 'node:child_process'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Something that happened to the recorded folder, or that the test was told meanwhile, in one order. */
export type Event =
  | { readonly is: 'created'; readonly file: bigint; readonly name: string }
  | { readonly is: 'written'; readonly file: bigint; readonly at: number; readonly bytes: Buffer }
  | { readonly is: 'truncated'; readonly file: bigint; readonly length: number }
  | { readonly is: 'renamed'; readonly from: string; readonly to: string }
  | { readonly is: 'unlinked'; readonly name: string }
  /** What happened before it to this file, or to the names if that is the folder, is durable once it has ended. */
  | { readonly is: 'syncBegun'; readonly file: bigint; readonly thread: number }
  | { readonly is: 'syncEnded'; readonly file: bigint; readonly thread: number }
  /** The folder was opened under this number. */
  | { readonly is: 'folder'; readonly file: bigint }
  | { readonly is: 'acknowledged'; readonly what: unknown }

const headerLength = 29
const acknowledgement = 'a'

/** Compile the library that records what a process does to its files; gcc is needed. Gives its path. */
export function compileRecorder(folder: string): string {
  const library = join(folder, 'recorder.so')
  const source = join(import.meta.dirname, 'recorder.c')
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', library, source, '-ldl'])
  return library
}

/** Note in the recording that the service has acknowledged something. */
export function acknowledge(recording: string, what: unknown): void {
  const text = Buffer.from(JSON.stringify(what))
  const header = Buffer.alloc(headerLength)
  header.write(acknowledgement)
  header.writeUInt32LE(text.length, 21)
  appendFileSync(recording, Buffer.concat([header, text]))
}

/** The recording of a folder, whose names are given relative to it. */
export function readRecording(recording: string, folder: string): Event[] {
  const bytes = readFileSync(recording)
  const events: Event[] = []
  for (let at = 0; at < bytes.length;) {
    const operation = String.fromCharCode(bytes[at]!)
    const thread = bytes.readUInt32LE(at + 1)
    const file = bytes.readBigUInt64LE(at + 5)
    const offset = Number(bytes.readBigUInt64LE(at + 13))
    const [firstLength, secondLength] = [bytes.readUInt32LE(at + 21), bytes.readUInt32LE(at + 25)]
    const first = bytes.subarray(at + headerLength, (at += headerLength + firstLength))
    const second = bytes.subarray(at, (at += secondLength))
    const name = (path: Buffer) => path.toString().slice(folder.length + 1)
    switch (operation) {
      case 'c':
        events.push({ is: 'created', file, name: name(first) })
        break
      case 'w':
        events.push({ is: 'written', file, at: offset, bytes: first })
        break
      case 't':
        events.push({ is: 'truncated', file, length: offset })
        break
      case 'r':
        events.push({ is: 'renamed', from: name(first), to: name(second) })
        break
      case 'u':
        events.push({ is: 'unlinked', name: name(first) })
        break
      case 'b':
        events.push({ is: 'syncBegun', file, thread })
        break
      case 'e':
        events.push({ is: 'syncEnded', file, thread })
        break
      case 'd':
        events.push({ is: 'folder', file })
        break
      case acknowledgement:
        events.push({ is: 'acknowledged', what: JSON.parse(first.toString()) })
        break
      default: // a file that was there is opened again
    }
  }
  return events
}
