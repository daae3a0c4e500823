// What is wrong with a policy's text, and how it is told: as a good compiler does, with the line and the words underlined.

/** A stretch of a text, in characters from its beginning. */
export type Span = { readonly offset: number; readonly length: number }

export type PolicyError = Span & { readonly message: string }

/** A policy cannot be used; the message tells each reason with file, line, column and the words in question. */
export class PolicyFileError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PolicyFileError'
  }
}

/** For each error `file:line:column: message`, the line it is about, and the words underlined. */
export function renderPolicyErrors(file: string, text: string, errors: readonly PolicyError[]): string {
  return errors.map((error) => renderError(file, text, error)).join('\n')
}

/** Of a longer line, the part with the words in question is shown. */
const MAX_LINE = 160

function renderError(file: string, text: string, { offset, length, message }: PolicyError): string {
  const start = text.slice(0, offset).lastIndexOf('\n') + 1
  const line = printable(text.slice(start).split(/\r?\n/, 1)[0] ?? '')
  const number = text.slice(0, start).split('\n').length
  const column = Math.min(offset - start, line.length)
  const from = column > MAX_LINE / 2 ? column - MAX_LINE / 2 : 0
  const shown = printable(line.slice(from, from + MAX_LINE).trimEnd())
  const underline = '^'.repeat(Math.max(1, Math.min(length, shown.length - (column - from))))
  const margin = ' '.repeat(String(number).length)
  return [
    `${file}:${number}:${column + 1}: ${printable(message)}`,
    ` ${number} | ${shown}`,
    ` ${margin} | ${shown.slice(0, column - from).replace(/\S/g, ' ')}${underline}`,
  ].join('\n')
}

/** Nothing in a policy moves the cursor of the person who reads the error. */
export function printable(line: string): string {
  return line.replace(/[^\t\P{C}]/gu, '\ufffd')
}
