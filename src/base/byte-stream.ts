import type { TLSSocket } from 'node:tls'
import type { WebSocket } from 'ws'
import { perUnit, uncounted, type Account } from './memory.ts'

/** The bytes below MQTT and AMQP: a TLS socket or a WebSocket. */
export interface ByteStream {
  send(bytes: Buffer): void
  /** Close without regard to what has not been sent. */
  destroy(): void
  /** Close once what was sent is out. */
  end(): void
  pause(): void
  resume(): void
  /** Bytes that were sent and that the client has not taken yet. */
  unsent(): number
}

const lingering = 2_000

/** A TLS socket as a stream of bytes. What is sent is counted in `memory` until the client has it. */
export function streamOfSocket(socket: TLSSocket, memory?: Account): ByteStream {
  const unsent = unsentIn(memory)
  return {
    send: (bytes) => void socket.write(bytes, unsent.add(bytes)),
    destroy: () => socket.destroy(),
    end: () => {
      socket.end()
      // A client need not close its own half; it has this long to read what was said to it.
      setTimeout(() => socket.destroy(), lingering).unref()
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    unsent: unsent.bytes,
  }
}

/** A WebSocket as a stream of bytes: frames carry them cut anywhere. [device-wire §3.7] */
export function streamOfWebSocket(socket: WebSocket, memory?: Account): ByteStream {
  const unsent = unsentIn(memory)
  return {
    send: (bytes) => socket.send(bytes, unsent.add(bytes)),
    destroy: () => socket.terminate(),
    end: () => socket.close(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    unsent: unsent.bytes,
  }
}

/** Counts what waits to be sent by what it takes in memory: two bytes in a write of their own take more than a hundred. */
function unsentIn(memory: Account = uncounted) {
  let waiting = 0
  return {
    /** Gives what is to be called when they are sent. */
    add: ({ length }: Buffer): (() => void) => {
      const bytes = length + perUnit
      waiting += bytes
      memory.count(bytes)
      return () => {
        waiting -= bytes
        memory.count(-bytes)
      }
    },
    bytes: () => waiting,
  }
}
