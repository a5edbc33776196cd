import { hostname } from 'node:os'
import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { CertificatePolicy } from '../attestation/x509.ts'
import type { Retention } from '../decisions/journal.ts'
import type { Reader } from '../store/store.ts'
import type { ManagementListener } from '../transport/management-api/management-listener.ts'
import { networks } from '../base/networks.ts'
import type { AuditRetention } from './audit-file.ts'
import { serverCertificate, type ServerCertificate } from './certificates.ts'
import { ConfigurationError, type Configuration } from './configuration.ts'
import { fits, readCertificate, readKey } from './key-pair.ts'

/** The operator's own certificate, or one of our making. */
export async function certificateFor(
  configuration: Configuration,
  data: string,
  store: Reader,
): Promise<ServerCertificate> {
  const { tlsCertificate, tlsKey, deviceHost, hubNames } = configuration
  if (tlsCertificate !== '' || tlsKey !== '') return ownCertificates(configuration)
  const instances = (await store.services.all()).flatMap(({ hostNames }) => hostNames)
  const ours = [hostname(), 'localhost', '127.0.0.1', '::1', managementAddress(configuration)]
  const names = new Set([deviceHost, ...hubNames, ...ours, ...instances])
  return serverCertificate(data, [...names], Date.now)
}

function ownCertificates(configuration: Configuration): ServerCertificate {
  const { tlsCertificate, tlsKey, tlsCa, tlsRsaCertificate, tlsRsaKey } = configuration
  const served = ownCertificate(tlsCertificate, tlsKey, tlsCa)
  if (tlsRsaCertificate === '' && tlsRsaKey === '') return served
  return { ...served, rsa: ownCertificate(tlsRsaCertificate, tlsRsaKey, '') }
}

function ownCertificate(tlsCertificate: string, tlsKey: string, tlsCa: string): ServerCertificate {
  if (tlsKey === '')
    throw new ConfigurationError(`tlsCertificate is ${tlsCertificate}, and tlsKey does not say where its key is`)
  if (tlsCertificate === '')
    throw new ConfigurationError(`tlsKey is ${tlsKey}, and tlsCertificate does not say whose key it is`)
  const certificate = readCertificate(tlsCertificate, 'the server (tlsCertificate)')
  const key = readKey(tlsKey, 'the server (tlsKey)')
  if (!fits(certificate, key)) {
    throw new ConfigurationError(
      `${tlsKey} (tlsKey) is not the key of the first certificate in ${tlsCertificate} (tlsCertificate)`,
    )
  }
  if (tlsCa !== '') readCertificate(tlsCa, 'the CA (tlsCa)')
  return { certificate, key, caFile: resolve(tlsCa || tlsCertificate) }
}

/** What is asked of device certificates; each thing that is not is warned of, in the log. */
export function certificatePolicy(
  { certificateDates, certificateLeniency, revocation }: Configuration,
  log: Pick<Logger, 'warn'>,
): CertificatePolicy {
  for (const leniency of certificateLeniency) {
    log.warn(`certificateLeniency: certificates are let through by ${leniency}; renew them, then take it off`)
  }
  if (certificateDates === 'ignore') log.warn('certificateDates: device certificates are let through when expired')
  return { dates: certificateDates, admits: new Set(certificateLeniency), revocation }
}

/** Where the control plane listens: this machine alone, unless told otherwise. */
export function managementAddress({ managementListen, listen }: Configuration): string {
  if (managementListen !== '') return managementListen
  return listen.find((address) => /^(?:127\.|::1$|localhost$)/.test(address)) ?? '127.0.0.1'
}

/** The URL by which the control plane is reached. */
export function managementEndpoint(configuration: Configuration, { port }: ManagementListener): string {
  const address = managementAddress(configuration)
  const host = address === '::' || address === '0.0.0.0' ? configuration.deviceHost : address
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Which addresses are load balancers that speak the PROXY protocol; undefined if there are none. Throws ConfigurationError. */
export function proxiesOf({ proxyPeers }: Configuration): ((address: string) => boolean) | undefined {
  if (proxyPeers.length === 0) return undefined
  try {
    return networks(proxyPeers)
  } catch (error) {
    throw new ConfigurationError(`proxyPeers: ${error instanceof Error ? error.message : error}`)
  }
}

/** How much of the audit log is kept. */
export function auditRetention({ auditMegabytes, auditFiles, auditDays }: Configuration): AuditRetention {
  return { bytes: auditMegabytes * 1024 * 1024, files: auditFiles, age: auditDays * 24 * 60 * 60 * 1000 }
}

/** How many decision records are kept, and for how long. */
export function decisionRetention({ decisionDays, decisionsKept }: Configuration): Retention {
  return { age: decisionDays * 24 * 60 * 60 * 1000, count: decisionsKept }
}

/** PEM of the CAs that are trusted when linked hubs are called, beside the system's. */
export function hubCa({ hubCa: file }: Configuration): string[] {
  return file === '' ? [] : [readCertificate(file, 'a CA of hubs (hubCa)')]
}
