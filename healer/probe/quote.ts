// A container's bytes in a message for people: printable, short, and marked as somebody else's words.

const MAX_BYTES = 60

/** `“+PONG\r\n”`; what is not printable ASCII is escaped, and what is long is cut. */
export function quoteBytes(bytes: Buffer): string {
  const escaped = [...bytes.subarray(0, MAX_BYTES)].map(escapeByte).join('')
  return `“${escaped}${bytes.length > MAX_BYTES ? '…' : ''}”`
}

const NAMED: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 92: '\\\\' }

function escapeByte(byte: number): string {
  if (NAMED[byte] !== undefined) return NAMED[byte]
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`
}
