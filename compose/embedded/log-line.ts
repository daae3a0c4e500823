// A service's log line for people: the time of day and the message out of its JSON; anything else as it is. Nothing in it moves a cursor.

export type ReadableLine = { readonly time: string; readonly level: string; readonly message: string }

export function readLogLine(line: string): ReadableLine {
  try {
    const { time, level, msg } = JSON.parse(line) as { time?: unknown; level?: unknown; msg?: unknown }
    if (typeof time === 'string' && typeof msg === 'string')
      return { time: timeOfDay(new Date(time)), level: typeof level === 'string' ? level : 'info', message: printable(msg) }
  } catch {
    // Not JSON: a stack trace, a word of Node's.
  }
  return { time: timeOfDay(new Date()), level: 'info', message: printable(line.replaceAll('\t', '    ')) }
}

const timeOfDay = (date: Date) => date.toLocaleTimeString('en-GB')

/** Control and format characters as their code points. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`)
}
