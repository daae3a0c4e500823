// Makes what came from a client safe to print: to a terminal, into a comment, into a machine's JSON. Pure.

/** `text` on one line, with everything but plain ASCII and a few signs of the proxy's own words written as `\u{…}`. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e“”’…]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`)
}

/** `value` as JSON in ASCII alone, so that nothing in it moves a cursor or turns the direction of writing. */
export function asciiJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
