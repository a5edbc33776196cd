import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shownUrl } from './shown-url.ts'

test('what may be secret in a URL is not shown, however it is written', () => {
  const secrets = [
    'https://user:s3cret@a.example/api',
    'https://s3cret@a.example/api',
    'https://:s3cret@a.example/api',
    'https://user:s3cret@b@a.example/api',
    'HTTPS:user:s3cret@a.example/api',
    'https:\\\\user:s3cret@a.example\\api',
    ' https://us\ner:s3\tcret@a.example/api',
    'https://a.example/api?code=s3cret',
    'https://a.example/api?',
    'https://a.example/api#s3cret',
    'https://u:s3cret@a.example/api?code=s3cret#s3cret',
    'postgres://user:s3cret@a.example/api',
    'not a URL s3cret',
  ]
  for (const url of secrets) {
    const shown = shownUrl(url)
    assert.ok(!/s3|cret|user/.test(shown), shown)
    assert.match(shown, /^(?:(?:https|postgres):\/\/(?:\*{4}@)?a\.example\/api(?:\?\*{4})?|\*{4})$/)
  }
})

test('a URL without secrets is shown as it was written', () => {
  for (const url of ['https://A.example', 'http://a.example:80/x/../y@z', 'https://in-process/near'])
    assert.equal(shownUrl(url), url)
})

test('what is shown is shown alike again', () => {
  for (const url of ['https://u:p@a.example/x?y', 'https://a.example/x?y', 'https://a.example/x'])
    assert.equal(shownUrl(shownUrl(url)), shownUrl(url))
})
