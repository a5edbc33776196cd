/** What the network, the file system or a protocol of Node's called a failure, such as `ECONNREFUSED`; undefined where nobody named it. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
