/**
 * What a device is likely to have done that signed another resource than its own, as the end of a sentence; empty where it cannot
 * be told. `expected` is `{idScope}/registrations/{registrationId}`.
 */
export function resourceMistake(found: string, expected: string): string {
  const [idScope = '', , registrationId = ''] = expected.split('/')
  const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase()
  if (same(decodedOnce(found), expected)) return ': it is percent-encoded twice'
  if (same(found.trim().replaceAll(/^\/+|\/+$/g, ''), expected)) return ': it has blanks or slashes around it'
  if (same(found.replace(/^[a-z]+:\/\/[^/]*\//i, ''), expected)) return ': it begins with a host'
  if (/\/devices\//i.test(found)) return ': that is the resource of a device at an IoT hub, not at provisioning'
  const [scope = '', collection = '', id = ''] = found.split('/')
  if (collection === '')
    return same(found, registrationId) ? ': it is the registration ID alone' : hostOrScope(scope, idScope)
  if (!same(collection, 'registrations')) return ''
  if (!same(scope, idScope)) return ': it is of another ID scope'
  return same(id, registrationId) ? ': more follows the registration ID' : ': it is of another registration'
}

function hostOrScope(found: string, idScope: string): string {
  if (found.toLowerCase() === idScope.toLowerCase()) return ': it is the ID scope alone'
  return found.includes('.') ? ': it is a host name alone' : ''
}

function decodedOnce(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
