/** What a client of the benchmark has to know of a server. */
export interface ServerFacts {
  readonly host: string
  /** PEM. */
  readonly ca: string
  readonly httpsPort: number
  readonly mqttPort: number
  readonly amqpPort: number
  readonly idScope: string
  readonly serviceConnectionString: string
}

/** Tell the benchmark that the server is ready, and answer its questions until it goes. */
export function served(facts: ServerFacts, close: () => Promise<void>): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.(user + system)
  })
  process.on('disconnect', () => void close().then(() => process.exit()))
  process.send?.(facts)
}
