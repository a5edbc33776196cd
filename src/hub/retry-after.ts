const longest = 3600

/** The seconds that a hub asks to be left alone for, at most an hour; undefined if it does not say a number. */
export function retryAfterOf(headers: Readonly<Record<string, string | string[] | undefined>>): number | undefined {
  const seconds = Number(headers['retry-after'])
  return seconds > 0 ? Math.min(seconds, longest) : undefined
}
