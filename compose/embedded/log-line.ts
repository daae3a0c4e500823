// A service's log line for people: the time of day and the message out of its JSON; anything else as it is.

export type ReadableLine = { readonly time: string; readonly level: string; readonly message: string }

export function readLogLine(line: string): ReadableLine {
  try {
    const { time, level, msg } = JSON.parse(line) as { time?: unknown; level?: unknown; msg?: unknown }
    if (typeof time === 'string' && typeof msg === 'string') {
      return { time: new Date(time).toLocaleTimeString('en-GB'), level: typeof level === 'string' ? level : 'info', message: msg }
    }
  } catch {
    // Not JSON: a stack trace, a word of Node's.
  }
  return { time: new Date().toLocaleTimeString('en-GB'), level: 'info', message: line }
}
