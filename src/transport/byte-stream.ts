import type { TLSSocket } from 'node:tls'
import type { WebSocket } from 'ws'
import type { ByteStream } from '../wire/mqtt/connection.ts'

const lingering = 2_000

/** A TLS socket as a stream of bytes. */
export function streamOfSocket(socket: TLSSocket): ByteStream {
  return {
    send: (bytes) => void socket.write(bytes),
    destroy: () => socket.destroy(),
    end: () => {
      socket.end()
      // A client need not close its own half; it has this long to read what was said to it.
      setTimeout(() => socket.destroy(), lingering).unref()
    },
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    unsent: () => socket.writableLength,
  }
}

/** A WebSocket as a stream of bytes: frames carry them cut anywhere. [device-wire §3.7] */
export function streamOfWebSocket(socket: WebSocket): ByteStream {
  return {
    send: (bytes) => socket.send(bytes),
    destroy: () => socket.terminate(),
    end: () => socket.close(),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    unsent: () => socket.bufferedAmount,
  }
}
