// Reads audit files line by line: as bytes that hash, and as what they say. Never judges; `verify` does.
import { createReadStream } from 'node:fs'

/** A line of a file. */
export type RawLine = {
  /** Without its newline. */
  readonly text: string
  /** From 1. */
  readonly number: number
  /** False for a last line that has no newline. */
  readonly isWhole: boolean
}

/** The fields that every line has, and the others as they stand. */
export type ReadLine = { readonly seq: number; readonly time: string; readonly prev: string; readonly event: string } & Readonly<
  Record<string, unknown>
>

/** The lines of `file` in order. Throws where it cannot be read. */
export async function* readRawLines(file: string): AsyncGenerator<RawLine> {
  let number = 0
  // Joined once: a line can be as long as somebody likes who can write to the file.
  let pieces: string[] = []
  for await (const chunk of createReadStream(file, { encoding: 'latin1' }) as AsyncIterable<string>) {
    let from = 0
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', from)) {
      yield { text: pieces.join('') + chunk.slice(from, end), number: ++number, isWhole: true }
      pieces = []
      from = end + 1
    }
    if (from < chunk.length) pieces.push(chunk.slice(from))
  }
  if (pieces.length > 0) yield { text: pieces.join(''), number: ++number, isWhole: false }
}

/** What a line says; `undefined` where it is no line of an audit log. */
export function parseAuditLine(text: string): ReadLine | undefined {
  try {
    const line: unknown = JSON.parse(text)
    const { seq, time, prev, event } = (line ?? {}) as Record<string, unknown>
    const isLine = Number.isSafeInteger(seq) && [time, prev, event].every((field) => typeof field === 'string')
    return isLine ? (line as ReadLine) : undefined
  } catch {
    return undefined
  }
}
