// A stranger's text in a message for people: bounded, and nothing in it that moves a cursor, ends a line or turns the direction of reading.

/** A message that quotes such texts, as a whole. */
export const MAX_MESSAGE = 1000

/** `text` with control and format characters as their code points, cut to about `max` characters. */
export function shown(text: string, max = 100): string {
  const begins = text.length > max ? `${text.slice(0, max).replace(/[\ud800-\udbff]$/, '')}…` : text
  return begins.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`)
}
