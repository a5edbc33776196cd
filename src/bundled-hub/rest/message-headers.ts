/** What stands before the name of an application property. */
export const applicationHeader = 'iothub-app-'

/** Headers that carry system properties, and their names in a property bag. [service-wire §13.2, §13.4] */
export const systemHeaders = [
  ['iothub-messageid', '$.mid'],
  ['iothub-correlationid', '$.cid'],
  ['iothub-userid', '$.uid'],
  ['iothub-contenttype', '$.ct'],
  ['iothub-contentencoding', '$.ce'],
  ['iothub-ack', 'iothub-ack'],
] as const
