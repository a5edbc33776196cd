import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFakeIotHub, type FakeIotHub } from '../hub-driver/fake-iot-hub.ts'
import { openControlPlane, type ControlPlane } from '../management/control-plane.ts'

/** The product with its two bundled hubs, and an IoT hub elsewhere that it can be told to reach. */
export interface WithThirdHub extends AsyncDisposable {
  readonly plane: ControlPlane
  readonly fake: FakeIotHub
  /** Links the hub, with these properties. */
  readonly link: (properties?: object) => Promise<void>
  readonly unlink: () => Promise<void>
}

/** Starts both: the product on `<network>.1` to `.3`, the hub on `.9`. */
export async function openWithThirdHub(network: string, args: readonly string[] = []): Promise<WithThirdHub> {
  const fake = await openFakeIotHub(`${network}.9`)
  const caFile = join(await mkdtemp(join(tmpdir(), 'hubward-fake-')), 'ca.pem')
  await writeFile(caFile, fake.ca)
  const plane = await openControlPlane(network, ['--hub-ca', caFile, '--hub-networks', fake.hostName, ...args])
  const path = plane.path('hubward')
  const replaceHubs = async (hubs: (linked: readonly object[]) => readonly object[]): Promise<void> => {
    const { location, sku, properties } = (await plane.call('GET', path)).json() as {
      location: string
      sku: object
      properties: { iotHubs: { name: string }[] }
    }
    const others = properties.iotHubs.filter(({ name }) => name !== fake.hostName)
    await plane.call('PUT', path, { body: { location, sku, properties: { ...properties, iotHubs: hubs(others) } } })
  }
  return {
    plane,
    fake,
    link: (properties = {}) =>
      replaceHubs((others) => [
        ...others,
        { connectionString: fake.connectionString(), location: 'westeurope', ...properties },
      ]),
    unlink: () => replaceHubs((others) => others),
    [Symbol.asyncDispose]: async () => {
      await plane.service[Symbol.asyncDispose]()
      await fake[Symbol.asyncDispose]()
    },
  }
}
