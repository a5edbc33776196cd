/** TPM_ALG_ID values that provisioning uses. [TPM 2.0 Part 2 §6.3] */
export const algorithm = {
  rsa: 0x0001,
  hmac: 0x0005,
  aes: 0x0006,
  keyedHash: 0x0008,
  sha256: 0x000b,
  null: 0x0010,
  cfb: 0x0043,
} as const

/** TPMA_OBJECT bits that provisioning uses. [TPM 2.0 Part 2 §8.3] */
export const attribute = {
  userWithAuth: 1 << 6,
  noDictionaryAttackProtection: 1 << 10,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const
