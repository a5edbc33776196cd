/**
 * A URL without what may be secret in it: a user name and password before the host become `****@`, a query `?****`, where keys of
 * functions and signatures stand. One without either is as it was; what is no URL is `****`.
 */
export function shownUrl(text: string): string {
  const url = URL.parse(text)
  if (!url) return '****'
  const { protocol, host, pathname, username, password } = url
  const hidesUser = username !== '' || password !== ''
  const asWritten = /^[^?#]*/.exec(text)![0]
  const place = hidesUser ? `${protocol}//****@${host}${pathname}` : asWritten
  return asWritten === text ? place : `${place}?****`
}
