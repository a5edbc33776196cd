import { algorithm } from './constants.ts'
import { sized, uint16, uint32 } from './structure-reader.ts'

/** Offsets in the C structure TPM2B_PUBLIC of the TPM software stack, in bytes; it has 616. */
const at = {
  type: 4,
  nameAlgorithm: 6,
  attributes: 8,
  policy: 12,
  symmetric: 80,
  symmetricBits: 82,
  symmetricMode: 84,
  scheme: 86,
  keyBits: 92,
  exponent: 96,
  modulus: 100,
}
const longestPolicy = 64
const longestModulus = 512

/**
 * The TPM2B_PUBLIC of an RSA key that was written as it lay in the memory of a little-endian machine, as tpm2-tools before 3.0 did
 * (`tpm2_getpubek -f`); undefined for anything else. The values are not judged.
 */
export function fromLittleEndian(bytes: Buffer): Buffer | undefined {
  if (bytes.length < at.modulus + 2) return undefined
  const short = (offset: number) => bytes.readUInt16LE(offset)
  const isRsa = short(at.type) === algorithm.rsa && short(at.nameAlgorithm) === algorithm.sha256
  const [policy, modulus] = [short(at.policy), short(at.modulus)]
  if (!isRsa || policy > longestPolicy || modulus > longestModulus) return undefined
  if (bytes.length < at.modulus + 2 + modulus) return undefined
  const fields = [at.symmetric, at.symmetricBits, at.symmetricMode, at.scheme, at.keyBits].map((offset) =>
    uint16(short(offset)),
  )
  return sized(
    Buffer.concat([
      uint16(algorithm.rsa),
      uint16(algorithm.sha256),
      uint32(bytes.readUInt32LE(at.attributes)),
      sized(bytes.subarray(at.policy + 2, at.policy + 2 + policy)),
      ...fields,
      uint32(bytes.readUInt32LE(at.exponent)),
      sized(bytes.subarray(at.modulus + 2, at.modulus + 2 + modulus)),
    ]),
  )
}
