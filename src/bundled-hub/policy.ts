import type { Database } from '../sqlite/database.ts'
import type { Write } from '../sqlite/transactions.ts'
import { Key } from './key.ts'

export type Right = 'RegistryRead' | 'RegistryWrite' | 'ServiceConnect' | 'DeviceConnect'

/** A shared access policy of one hub; either key opens it. */
export interface Policy {
  readonly name: string
  readonly rights: ReadonlySet<Right>
  readonly keys: readonly [primary: Key, secondary: Key]
}

/** A hub's policies by name in lower case. */
export type Policies = ReadonlyMap<string, Policy>

/** The policies every hub is born with. [service-wire §13.4] */
const builtIn: readonly (readonly [name: string, rights: readonly Right[]])[] = [
  ['iothubowner', ['RegistryRead', 'RegistryWrite', 'ServiceConnect', 'DeviceConnect']],
  ['service', ['ServiceConnect']],
  ['device', ['DeviceConnect']],
  ['registryRead', ['RegistryRead']],
  ['registryReadWrite', ['RegistryRead', 'RegistryWrite']],
]

const read = 'select name, rights, primary_key, secondary_key from policy where hub = ?'
const insert =
  'insert into policy (hub, name, rights, primary_key, secondary_key) values (?, ?, ?, ?, ?) on conflict do nothing'

/** The hub's policies; made, with keys of their own, when the hub is opened for the first time (`made`), and kept. */
export async function openPolicies(database: Database, hub: string): Promise<{ policies: Policies; made: boolean }> {
  const known = new Set(database.all(read, [hub]).map((row) => row['name']))
  const missing = builtIn.filter(([name]) => !known.has(name))
  if (missing.length > 0) await database.write(missing.map(([name, rights]) => insertion(hub, name, rights)))
  const policies = new Map(
    database.all(read, [hub]).map((row): [string, Policy] => [
      String(row['name']).toLowerCase(),
      {
        name: String(row['name']),
        rights: new Set(String(row['rights']).split(', ').filter(isRight)),
        keys: [Key.stored(String(row['primary_key'])), Key.stored(String(row['secondary_key']))],
      },
    ]),
  )
  return { policies, made: known.size === 0 }
}

function insertion(hub: string, name: string, rights: readonly Right[]): Write {
  const keys = [Key.generate().reveal(), Key.generate().reveal()]
  return { sql: insert, parameters: [hub, name, rights.join(', '), ...keys] }
}

function isRight(text: string): text is Right {
  return text === 'RegistryRead' || text === 'RegistryWrite' || text === 'ServiceConnect' || text === 'DeviceConnect'
}
