/** What a person is told when a command fails: what went wrong, and what to do next. */
export class CommandFailure extends Error {
  override readonly name = 'Failure'
  readonly next: string | undefined

  constructor(message: string, next?: string) {
    super(message)
    this.next = next
  }
}
