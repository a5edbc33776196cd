/**
 * Text that somebody else wrote, made fit to be shown. `shown` and `quoted` are for where it enters a sentence: it is told apart
 * from our own words, and every character of it can be seen. `printable` and `printableJson` are for where sentences leave the
 * process (log, audit, terminal): the last defence, should one have been forgotten.
 */

/** Longer texts are cut, in characters. */
const usuallyShown = 200

/** Names, paths and addresses as they usually are: no blank, no quote, nothing to mistake for our own words. */
const plain = /^[A-Za-z0-9_.:@/%*+=$-]+$/

/** What is written as an escape: what cannot be seen, what moves the cursor or turns the reading direction, halves of characters. */
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/gu
const visible = /^[ -~]*$/
const shortEscapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text between quotation marks, with quotation marks, backslashes and whatever cannot be seen escaped as in JSON. */
export function quoted(text: string, longest = usuallyShown): string {
  const cut = text.length > longest
  return `${printable(JSON.stringify(text.slice(0, longest)))}${cut ? `… (of ${text.length} characters)` : ''}`
}

/** The text as it is if it is a plain word, such as an ID, a path or an address; else quoted. */
export function shown(text: string, longest = usuallyShown): string {
  return text.length <= longest && plain.test(text) ? text : quoted(text, longest)
}

/** The text on one line, with whatever cannot be seen, or could steer a terminal, as `\n`, `\t` or `\u001b`. */
export function printable(text: string): string {
  return visible.test(text) ? text : text.replace(hidden, (found) => shortEscapes[found] ?? escaped(found))
}

/** The same JSON, with nothing in its texts that could steer a terminal; its own line ends stay. */
export function printableJson(json: string): string {
  return visible.test(json) ? json : json.replace(hidden, (found) => (found === '\n' ? found : escaped(found)))
}

function escaped(found: string): string {
  let text = ''
  for (let at = 0; at < found.length; at++) text += `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`
  return text
}
