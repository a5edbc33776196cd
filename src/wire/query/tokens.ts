/** A query that is not one of its dialect; the message says why. */
export class QueryFault extends Error {
  override readonly name = 'QueryFault'
}

export type Token =
  | { readonly is: 'word'; readonly text: string; readonly at: number }
  | { readonly is: 'string'; readonly text: string; readonly at: number }
  | { readonly is: 'number'; readonly text: string; readonly at: number }
  | { readonly is: 'symbol'; readonly text: string; readonly at: number }

const shapes =
  /(?<word>[$A-Za-z_][\w$-]*)|(?<number>-?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,3})?)|(?<string>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")|(?<symbol><=|>=|<>|!=|[=<>(),.*;[\]])/suy
const blank = /\s*/y

/** The words of a query; refuses what is too long or holds anything that is no part of the language. */
export function tokenize(query: string, longest: number): Token[] {
  if (query.length > longest) throw new QueryFault(`longer than ${longest} characters`)
  const tokens: Token[] = []
  for (let at = skip(query, 0); at < query.length;) {
    shapes.lastIndex = at
    const { word, number, string, symbol } = shapes.exec(query)?.groups ?? {}
    if (word !== undefined) tokens.push({ is: 'word', text: word, at })
    else if (number !== undefined) tokens.push({ is: 'number', text: number, at })
    else if (string !== undefined) tokens.push({ is: 'string', text: unquote(string), at })
    else if (symbol !== undefined) tokens.push({ is: 'symbol', text: symbol, at })
    else throw new QueryFault(`unexpected character at ${at}`)
    at = skip(query, shapes.lastIndex)
  }
  return tokens
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
