import { Refusal } from '../model/refusal.ts'
import { DatabaseDamaged } from '../sqlite/inspect.ts'
import { Unwritable } from '../sqlite/unwritable.ts'
import { ConfigurationError } from './configuration.ts'

/** What an operator reads when the service could not start, or fell: a sentence where there is one to say, else the stack. */
export function startFailure(thrown: unknown): string {
  if (thrown instanceof DatabaseDamaged) return `${thrown.message}.\n${thrown.usable ? mendOrAccept : mend}`
  if (thrown instanceof ConfigurationError || thrown instanceof Unwritable) return thrown.message
  if (Refusal.isOfStore(thrown)) return (thrown as Refusal).detail
  return String(thrown instanceof Error ? thrown.stack : thrown)
}

const mend = 'Nothing was changed. Put the last backup in its place, the whole folder, and start again.'
const mendOrAccept =
  'Nothing was changed. Put back what is missing, or the last backup of the whole folder; or copy the folder and start once with --accept-data-loss yes, to go on with what is left.'
