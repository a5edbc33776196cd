import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { command, flag, group, type Run } from './command.ts'
import { makeCommands } from './make-certificates.ts'
import { CommandFailure } from './failure.ts'
import { print, tell, type Columns } from './print.ts'
import { listOf, objectOf, type JsonRecord } from './api-session.ts'

const columns: Columns = {
  Name: 'name',
  Subject: 'properties.subject',
  Verified: 'properties.isVerified',
  Expires: 'properties.expiry',
  Etag: 'etag',
}

interface Wanted {
  readonly certificateName: string
  readonly path: string
  readonly verified?: boolean
  readonly etag?: string
}

/** `hubward certificate …`: CA certificates, after `az iot dps certificate`, and certificates to try things out with. */
export function certificateCommands(): Command {
  const parent = group('certificate', 'CA certificates of an instance; and test CAs, leaves and proofs of possession')
  const name = ['-n, --certificate-name <name>', 'the certificate'] as const
  const path = ['-p, --path <file>', 'a certificate, PEM or DER'] as const
  const etag = ['-e, --etag <text>', 'only if it has this etag'] as const
  command<Wanted>(parent, 'create', 'Upload a CA certificate', async (run) => {
    const { path: file, verified } = run.options
    const body = { properties: { certificate: base64At(file), isVerified: verified } }
    print(objectOf(await run.session.management('PUT', await at(run), { body })), columns, run.options)
  })
    .requiredOption(...name)
    .requiredOption(...path)
    .option('-v, --verified <true|false>', 'you vouch for it: no proof of possession is asked for', flag)
  command(parent, 'list', 'List the CA certificates', async (run) => {
    const { id } = await run.session.instance()
    print(listOf(await run.session.management('GET', `${id}/certificates`)), columns, run.options)
  })
  command<Wanted>(parent, 'show', 'Show a CA certificate', async (run) =>
    print(await stored(run), columns, run.options),
  ).requiredOption(...name)
  command<Wanted>(parent, 'update', 'Replace a CA certificate; it has to be verified again', async (run) => {
    const body = { properties: { certificate: base64At(run.options.path), isVerified: run.options.verified } }
    const ifMatch = await etagOf(run)
    print(objectOf(await run.session.management('PUT', await at(run), { body, ifMatch })), columns, run.options)
  })
    .requiredOption(...name)
    .requiredOption(...path)
    .option('-v, --verified <true|false>', 'you vouch for it', flag)
    .option(...etag)
  command<Wanted>(
    parent,
    'generate-verification-code',
    'The name that a proof of possession has to have',
    async (run) => {
      const ifMatch = await etagOf(run)
      const answer = objectOf(
        await run.session.management('POST', `${await at(run)}/generateVerificationCode`, { ifMatch }),
      )
      print(answer, { ...columns, 'Verification code': 'properties.verificationCode' }, run.options)
      tell(
        'Next: sign a certificate of this name with the CA ("hubward certificate make-proof"), then "hubward certificate verify".',
      )
    },
  )
    .requiredOption(...name)
    .option(...etag)
  command<Wanted>(parent, 'verify', 'Prove possession of the key of a CA certificate', async (run) => {
    const body = { certificate: base64At(run.options.path) }
    const ifMatch = await etagOf(run)
    print(
      objectOf(await run.session.management('POST', `${await at(run)}/verify`, { body, ifMatch })),
      columns,
      run.options,
    )
  })
    .requiredOption(...name)
    .requiredOption(...path)
    .option(...etag)
  command<Wanted>(
    parent,
    'delete',
    'Delete a CA certificate; groups that refer to it admit no more devices',
    async (run) => {
      const ifMatch = await etagOf(run)
      await run.session.management('DELETE', await at(run), { ifMatch })
      tell(`${run.options.certificateName} is deleted.`)
    },
  )
    .requiredOption(...name)
    .option(...etag)
  makeCommands(parent)
  return parent
}

async function at({ session, options }: Run<Wanted>): Promise<string> {
  return `${(await session.instance()).id}/certificates/${encodeURIComponent(options.certificateName)}`
}

async function stored(run: Run<Wanted>): Promise<JsonRecord> {
  return objectOf(await run.session.management('GET', await at(run)))
}

async function etagOf(run: Run<Wanted>): Promise<string> {
  return run.options.etag ?? String((await stored(run))['etag'])
}

/** The bytes of the file, whichever form they have. */
function base64At(path: string): string {
  try {
    return readFileSync(path).toString('base64')
  } catch (error) {
    throw new CommandFailure(`--path ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}
