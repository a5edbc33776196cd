import { Refusal } from '../../model/refusal.ts'

export type Token =
  | { readonly is: 'word'; readonly text: string; readonly at: number }
  | { readonly is: 'string'; readonly text: string; readonly at: number }
  | { readonly is: 'number'; readonly text: string; readonly at: number }
  | { readonly is: 'symbol'; readonly text: string; readonly at: number }

/** Longest query that is read, in characters. */
export const longestQuery = 4096

const shapes =
  /(?<word>[A-Za-z_]\w*)|(?<number>-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?)|(?<string>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")|(?<symbol><=|>=|<>|!=|[=<>(),.*;[\]])/suy
const blank = /\s*/y

/** The words of a query; refuses what is too long or holds anything that is no part of the language. */
export function tokenize(query: string): Token[] {
  if (query.length > longestQuery) throw queryRefusal(`longer than ${longestQuery} characters`)
  const tokens: Token[] = []
  for (let at = skip(query, 0); at < query.length;) {
    shapes.lastIndex = at
    const { word, number, string, symbol } = shapes.exec(query)?.groups ?? {}
    if (word !== undefined) tokens.push({ is: 'word', text: word, at })
    else if (number !== undefined) tokens.push({ is: 'number', text: number, at })
    else if (string !== undefined) tokens.push({ is: 'string', text: unquote(string), at })
    else if (symbol !== undefined) tokens.push({ is: 'symbol', text: symbol, at })
    else throw queryRefusal(`unexpected character at ${at}`)
    at = skip(query, shapes.lastIndex)
  }
  return tokens
}

/** The refusal of a query: what is wrong stands in the message and in `info`. [service-wire §6] */
export function queryRefusal(detail: string): Refusal {
  return new Refusal('QueryMalformed', detail, {
    said: `Bad Request: the query is not understood: ${detail}.`,
    info: { query: detail },
  })
}

function skip(query: string, at: number): number {
  blank.lastIndex = at
  blank.test(query)
  return blank.lastIndex
}

/** A quote inside is doubled or stands behind a backslash. */
function unquote(string: string): string {
  const quote = string[0]!
  return string.slice(1, -1).replaceAll(/''|""|\\(.)/gsu, (pair, escaped: string | undefined) => {
    if (escaped !== undefined) return escaped
    return pair[0] === quote ? quote : pair
  })
}
