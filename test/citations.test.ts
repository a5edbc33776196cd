import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..')

/** What can be cited, by the name that a citation begins with. */
const pages: Readonly<Record<string, string>> = {
  'device-wire': 'docs/wire/device-wire.md',
  'service-wire': 'docs/wire/service-wire.md',
  'certificate-issuance': 'docs/wire/certificate-issuance.md',
  'client-findings': 'docs/wire/client-findings.md',
  'performance.md': 'docs/performance.md',
}
/** A citation stands in brackets, is no Markdown link, and names a section, a heading, or the page alone. */
const cited = new RegExp(`\\[((?:${Object.keys(pages).join('|')})(?:\\]|[ ,;][^\\][(\\n]*\\](?!\\()))`, 'g')

/** Everything that a page can be cited by: its headings' texts, their numbers, and the numbered items and rows below them. */
function placesOf(text: string): ReadonlySet<string> {
  const places = new Set<string>()
  let section = ''
  for (const line of text.split('\n')) {
    const [, number, title] = /^#+ (?:([\d.]+?)\.? )?(.*)$/.exec(line) ?? []
    if (title !== undefined) {
      section = number ?? ''
      places.add(title).add(`§${section}`)
    }
    const item = /^(?:(\d+)\. |\| (\d+) \|)/.exec(line)
    if (item) places.add(`§${section}.${item[1] ?? item[2]}`).add(`§${section} step ${item[1] ?? item[2]}`)
  }
  return places
}

/** The citations of a text that lead nowhere. */
function dangling(text: string, places: (page: string) => ReadonlySet<string>): string[] {
  return [...text.matchAll(cited)].flatMap(([whole]) => {
    let page = ''
    return whole
      .slice(1, -1)
      .split(/[;,] ?/)
      .flatMap((part) => {
        const named = Object.keys(pages).find((name) => part === name || part.startsWith(`${name} `))
        if (named !== undefined) page = named
        const place = named === undefined ? part : part.slice(named.length + 1)
        const [, first, last] = /^§(\d+)-(\d+)$/.exec(place) ?? []
        const wanted = first === undefined ? [place] : [`§${first}`, `§${last}`]
        return wanted.every((one) => one === '' || one.endsWith('…') || places(page).has(one))
          ? []
          : [`${whole}: ${page} has no ${place}`]
      })
  })
}

const known = new Map(
  Object.entries(pages).map(([name, file]) => [name, placesOf(readFileSync(join(root, file), 'utf8'))]),
)
const placesIn = (page: string): ReadonlySet<string> => known.get(page) ?? new Set()

test('every citation of the wire pages leads to a section', () => {
  const files = globSync(['{src,test,bench,demo}/**/*.{ts,mjs,py}', 'sdk/*.ts', 'docs/**/*.md', '*.md'], { cwd: root })
  let found = 0
  const lost = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    found += [...text.matchAll(cited)].length
    return file === 'test/citations.test.ts' ? [] : dangling(text, placesIn).map((problem) => `${file}: ${problem}`)
  })
  assert.deepEqual(lost, [])
  assert.ok(found > 250, `only ${found} citations were found: the pattern is blind`)
})

test('a citation of a section that is not there is noticed', () => {
  const page = (name: string) =>
    placesOf(name === 'device-wire' ? '## 1. One\n### 1.2 Two\n1. first\n| 2 | second |' : '## TLS')
  assert.deepEqual(dangling('[device-wire §1.2, §1] [client-findings, TLS] [device-wire §1.2.2] [MQTT-3.1]', page), [])
  assert.equal(dangling('[device-wire §1.3]', page).length, 1)
  assert.equal(dangling('[device-wire §1.2, §9]', page).length, 1)
  assert.equal(dangling('[client-findings, AMQP]', page).length, 1)
})
