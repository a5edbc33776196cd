// What a hub that checks tokens needs of the product's own code for them, which has tests of its own.
export { expectedSignature, parseSasToken } from '../../src/wire/sas-token.ts'
export { Secret } from '../../src/base/secret.ts'
