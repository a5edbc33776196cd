import type { Allowed } from '../base/guarded-lookup.ts'
import { networks } from '../base/networks.ts'
import { ConfigurationError, type Configuration } from './configuration.ts'

/** Settings that name networks for one kind of callee. */
type OwnSetting = 'webhookNetworks' | 'hubNetworks' | 'issuerNetworks'

/**
 * The networks that are not public in which a kind of callee may be called all the same: those of `outboundNetworks` and those of its
 * own setting, if it has one. Throws ConfigurationError, naming the setting.
 */
export function allowedFor(configuration: Configuration, own?: OwnSetting): Allowed {
  const common = read('outboundNetworks', configuration)
  if (own === undefined) return common
  const particular = read(own, configuration)
  return (address) => common(address) || particular(address)
}

function read(setting: 'outboundNetworks' | OwnSetting, configuration: Configuration): Allowed {
  const texts = configuration[setting]
  try {
    return networks(texts.length === 1 && texts[0] === 'none' ? [] : texts)
  } catch (error) {
    throw new ConfigurationError(`${setting}: ${error instanceof Error ? error.message : error}`)
  }
}
