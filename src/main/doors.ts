import type { Logger } from 'pino'
import type { Monotonic } from '../base/time.ts'
import { admission, type Admission } from '../transport/admission/admission.ts'
import type { Bounds, TurnAwayCause } from '../transport/admission/bounds.ts'
import type { TurnedAway } from '../transport/admission/turned-away.ts'
import { networks } from '../base/networks.ts'
import { ConfigurationError, type Configuration } from './configuration.ts'
import { descriptorLimit, shareDescriptors, type Shares } from './descriptors.ts'
import { settings } from './settings.ts'

/** Who may be connected: to the device ports, and to the control plane, each with a share of its own. */
export interface Doors extends Disposable {
  readonly devices: Admission
  readonly management: Admission
}

const lookEvery = 1000

/**
 * The admissions of both listeners, which look after their connections until they are disposed of. What is turned away stands
 * in the log, with the setting that bounds it. Throws ConfigurationError.
 */
export function openDoors(
  configuration: Configuration,
  log: Pick<Logger, 'warn' | 'info'>,
  monotonic: Monotonic,
): Doors {
  const wanted = { devices: unlessZero(configuration.connections), management: configuration.managementConnections }
  const limit = descriptorLimit()
  const shares = shareDescriptors(limit, wanted)
  if (shares.devices < wanted.devices) {
    log.warn(
      `This process may have ${limit} files open, so ${shares.devices} connections to the device ports are taken, not ${configuration.connections || 'any number'}: raise the limit ("ulimit -n", LimitNOFILE= of systemd) or lower --${settings.connections.flag}.`,
    )
  }
  const devices = admission(deviceBounds(configuration, shares), monotonic, (told) =>
    tell(told, told.cause, 'the device ports', configuration, log),
  )
  const management = admission(managementBounds(configuration, shares), monotonic, (told) =>
    tell(
      told,
      told.cause === 'connections' ? 'managementConnections' : told.cause,
      'the control plane',
      configuration,
      log,
    ),
  )
  const timer = setInterval(() => {
    devices.look()
    management.look()
  }, lookEvery).unref()
  return { devices, management, [Symbol.dispose]: () => clearInterval(timer) }
}

function deviceBounds(configuration: Configuration, { devices, local }: Shares): Bounds {
  const { newConnections, failedAttempts, handshakeTimeout, proofTimeout } = configuration
  return {
    connections: devices,
    localConnections: local,
    connectionsPerAddress: unlessZero(configuration.connectionsPerAddress),
    connectionsPerNetwork: unlessZero(configuration.connectionsPerNetwork),
    unprovenConnections: unlessZero(configuration.unprovenConnections),
    unprovenPerAddress: unlessZero(configuration.unprovenPerAddress),
    handshakes: unlessZero(configuration.handshakes),
    handshakesPerAddress: unlessZero(configuration.handshakesPerAddress),
    newConnections: { perSecond: newConnections, most: unlessZero(newConnections * 10) },
    failedAttempts: { perSecond: failedAttempts / 60, most: unlessZero(failedAttempts) },
    handshakeTimeout: handshakeTimeout * 1000,
    proofTimeout: proofTimeout * 1000,
    isShared: sharedBy(configuration),
  }
}

/** There are few of these, and from anywhere: what they have is their share, and their addresses are bound in what they try. */
function managementBounds(configuration: Configuration, shares: Shares): Bounds {
  return {
    ...deviceBounds(configuration, shares),
    connections: shares.management,
    localConnections: 0,
    connectionsPerAddress: Infinity,
    connectionsPerNetwork: Infinity,
    unprovenConnections: Infinity,
    unprovenPerAddress: Infinity,
    handshakes: Infinity,
    handshakesPerAddress: Infinity,
  }
}

function sharedBy({ sharedAddresses, proxyPeers }: Configuration): Bounds['isShared'] {
  try {
    // A load balancer that speaks for itself, as in its health checks, stands for many too.
    return networks([...sharedAddresses, ...proxyPeers])
  } catch (error) {
    throw new ConfigurationError(`sharedAddresses: ${error instanceof Error ? error.message : error}`)
  }
}

/** Strangers who never come to anything are daily business; a bound that is met may be one that a fleet has outgrown. */
function tell(
  { cause, times, address }: TurnedAway,
  setting: TurnAwayCause | 'managementConnections',
  where: string,
  configuration: Configuration,
  log: Pick<Logger, 'warn' | 'info'>,
): void {
  const level = cause === 'handshakeTimeout' || cause === 'proofTimeout' ? 'info' : 'warn'
  const latest = address === undefined ? '' : `, the latest from ${address}`
  log[level](
    { admission: { setting, times, address } },
    `${times} connections to ${where} were turned away${latest}: --${settings[setting].flag} is ${configuration[setting]}`,
  )
}

function unlessZero(count: number): number {
  return count === 0 ? Infinity : count
}
