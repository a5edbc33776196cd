import { openNodeRunner, openPythonRunner, type DeviceRunner, type DeviceTransport } from '../../sdk/runner.ts'

/** An official SDK, as its devices see the service. */
export interface Sdk {
  readonly name: string
  readonly open: (options: { readonly caFile: string }) => Promise<DeviceRunner>
  readonly transports: readonly DeviceTransport[]
  /** `name: message` of the error for a disabled enrollment: neither SDK knows that status. [device-wire §1.5] */
  readonly disabled: RegExp
  /** And for credentials that are not good, at CONNECT or at the register call. [device-wire §3.1] */
  readonly refused: RegExp
}

/** Another transport is one more word; another SDK is one more entry, with its runner in sdk/. */
export const sdks: readonly Sdk[] = [
  {
    name: 'Node',
    open: openNodeRunner,
    transports: ['http', 'mqtt', 'mqtt-ws', 'amqp', 'amqp-ws'],
    disabled: /^SyntaxError: status is disabled$/,
    refused: /^(UnauthorizedError|NotConnectedError|amqp:unauthorized-access): |: Connection refused: Not authorized$/,
  },
  {
    name: 'Python',
    open: openPythonRunner,
    transports: ['mqtt', 'mqtt-ws'],
    disabled: /^ClientError: .*invalid registration status disabled/,
    refused: /^ClientError: .*service error status code 401$|^CredentialError: /,
  },
]
