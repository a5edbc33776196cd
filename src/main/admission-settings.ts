import { list, number, type Setting } from './setting.ts'

const unlimited = '0: no limit.'

/** What bounds the connections of strangers and the time that they are given. */
export const admissionSettings = {
  connections: bound(
    'connections',
    'HUBWARD_CONNECTIONS',
    15_000,
    'Connections to the device ports, as far as the process may open so many files. At a bound the oldest on which nobody proved who they are gives way.',
  ),
  connectionsPerAddress: bound(
    'connections-per-address',
    'HUBWARD_CONNECTIONS_PER_ADDRESS',
    12_000,
    'Those of one IPv4 address, or one IPv6 network of 64 bits: a plant behind one address has all its devices there.',
  ),
  connectionsPerNetwork: bound(
    'connections-per-network',
    'HUBWARD_CONNECTIONS_PER_NETWORK',
    12_000,
    'Those of one IPv4 network of 24 bits, or one IPv6 network of 48.',
  ),
  unprovenConnections: bound(
    'unproven-connections',
    'HUBWARD_UNPROVEN_CONNECTIONS',
    4000,
    'Those of them on which nobody has proved who they are.',
  ),
  unprovenPerAddress: bound(
    'unproven-per-address',
    'HUBWARD_UNPROVEN_PER_ADDRESS',
    2000,
    'Those of one address on which nobody has proved who they are.',
  ),
  handshakes: bound('handshakes', 'HUBWARD_HANDSHAKES', 2000, 'TLS handshakes that may be under way.'),
  handshakesPerAddress: bound(
    'handshakes-per-address',
    'HUBWARD_HANDSHAKES_PER_ADDRESS',
    1000,
    'TLS handshakes that may be under way with one address.',
  ),
  newConnections: bound(
    'new-connections',
    'HUBWARD_NEW_CONNECTIONS',
    200,
    'New connections of one address per second, and ten times as many at once; ten times of both where somebody proved who they are within the hour.',
  ),
  failedAttempts: bound(
    'failed-attempts',
    'HUBWARD_FAILED_ATTEMPTS',
    3000,
    'Refused proofs of one address per minute, and as many at once, after which its new connections are refused; ten times as many where somebody proved who they are within the hour.',
  ),
  handshakeTimeout: number(
    'handshake-timeout',
    'HUBWARD_HANDSHAKE_TIMEOUT',
    10,
    1,
    120,
    'Seconds from the beginning of a connection until TLS stands.',
  ),
  proofTimeout: number(
    'proof-timeout',
    'HUBWARD_PROOF_TIMEOUT',
    90,
    5,
    3600,
    'Seconds from then until a proof was accepted. A TPM may take a minute to answer its challenge. After a refused proof it is ten seconds.',
  ),
  sharedAddresses: list(
    'shared-addresses',
    'HUBWARD_SHARED_ADDRESSES',
    [],
    'The addresses or networks behind which strangers to each other stand, such as a load balancer without the PROXY protocol: what bounds one address or network does not bound these.',
  ),
  connectionMemory: number(
    'connection-memory',
    'HUBWARD_CONNECTION_MEMORY',
    0,
    0,
    1_000_000,
    'MiB that all connections together may hold of what clients sent and do not take. Beyond it the connection that holds most is cut. 0: a quarter of the memory that the process may have.',
  ),
  managementConnections: number(
    'management-connections',
    'HUBWARD_MANAGEMENT_CONNECTIONS',
    256,
    8,
    10_000,
    'Connections to the control plane, set apart from those of the device ports.',
  ),
} as const

function bound(flag: string, environment: string, fallback: number, purpose: string): Setting<number> {
  return number(flag, environment, fallback, 0, 1_000_000, `${purpose} ${unlimited}`)
}
