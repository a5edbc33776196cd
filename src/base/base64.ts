/**
 * The bytes that a base64 text stands for, or undefined if it is none. The padding may be missing, and the bits of the last character that
 * stand for nothing may be set, as some tools leave them.
 */
export function bytesOfBase64(text: string): Buffer | undefined {
  const digits = text.replace(/={1,2}$/, '')
  return /^[A-Za-z0-9+/]*$/.test(digits) && digits.length % 4 !== 1 ? Buffer.from(digits, 'base64') : undefined
}
