import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCertificate, readCertificateText } from './certificate.ts'

// Made with openssl: version 1, serial 0x80A1B2, subject /C=DE/O=Acme, Inc./OU=a+b/CN=pump-0042, to stay for twenty years.
const pem = `-----BEGIN CERTIFICATE-----
MIIBczCCARkCBACAobIwCgYIKoZIzj0EAwIwRDELMAkGA1UEBhMCREUxEzARBgNV
BAoMCkFjbWUsIEluYy4xDDAKBgNVBAsMA2ErYjESMBAGA1UEAwwJcHVtcC0wMDQy
MB4XDTI2MTEyMzIxMTcxM1oXDTQ2MTExODIxMTcxM1owRDELMAkGA1UEBhMCREUx
EzARBgNVBAoMCkFjbWUsIEluYy4xDDAKBgNVBAsMA2ErYjESMBAGA1UEAwwJcHVt
cC0wMDQyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEW+ICj7BHse1NvpkRduoG
h6BDEJzH7G9VwchPaMh4o2Z3QS7yi1kf1Y6dEDawdfNAQ/dt4cMM6eGXBK00+96U
eDAKBggqhkjOPQQDAgNIADBFAiEAmv1JEqXL/AqXkuPRIzDv1wdPtkhYYcI9Tugm
0CpWEMMCIHUX2SdQ00Bd8041xgbItIGlKvc2TTir/sK4Tr1Ac9TC
-----END CERTIFICATE-----
`
const der = Buffer.from(pem.replaceAll(/-----.*-----/g, ''), 'base64')

test('a certificate shows all eight members, with the names in .NET order and quotes', () => {
  assert.deepEqual(readCertificate(der)?.info, {
    subjectName: 'CN=pump-0042, OU="a+b", O="Acme, Inc.", C=DE',
    sha1Thumbprint: 'EFC18275438DA2966B1AA55AB7AD7DC7921CF37A',
    sha256Thumbprint: 'E6BA85D819B2BFF11CAAE13843752D3AB8B2F6E71216B492FAE287A1175CB058',
    issuerName: 'CN=pump-0042, OU="a+b", O="Acme, Inc.", C=DE',
    notBeforeUtc: '2026-11-23T21:17:13Z',
    notAfterUtc: '2046-11-18T21:17:13Z',
    serialNumber: '0080A1B2',
    version: 1,
  })
})

const spellings: Readonly<Record<string, string>> = {
  PEM: pem,
  'PEM with CRLF': pem.replaceAll('\n', '\r\n'),
  'PEM with escaped line ends': pem.replaceAll('\n', '\\n'),
  'PEM with escaped CRLF': pem.replaceAll('\n', '\\r\\n'),
  'PEM after other text': `Bag Attributes\n    friendlyName: x\n${pem}${pem}`,
  'base64 of DER': der.toString('base64'),
  'base64 of DER in lines': pem.replaceAll(/-----.*-----/g, ''),
  'base64 of PEM': Buffer.from(pem).toString('base64'),
}

for (const [spelling, text] of Object.entries(spellings)) {
  test(`a certificate is read from ${spelling}`, () => {
    assert.equal(readCertificateText(text)?.der, der.toString('base64'))
  })
}

test('what is not a certificate is no certificate, whatever it is', () => {
  const not = ['', 'x', '====', '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----', der.toString('hex')]
  not.push(der.subarray(0, -1).toString('base64'), pem.slice(0, 200), Buffer.from('MIIB').toString('base64'))
  not.push('A'.repeat(63_000) + '!', ' '.repeat(63_000) + '!', '-----BEGIN CERTIFICATE-----'.repeat(2_000))
  for (const text of not) assert.equal(readCertificateText(text), undefined, text.slice(0, 60))
})
