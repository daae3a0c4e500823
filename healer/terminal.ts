// What is written for people: the log as lines of text where a terminal reads it, and verdicts in colour. Nothing in a line of the log
// moves a cursor. The proxy and the healer never import each other, so each has this file, the same letter for letter.
import { styleText } from 'node:util'
import { type Logger, pino } from 'pino'

/** `auto`: text on a terminal, JSON everywhere else. */
export const LOG_FORMATS = ['auto', 'json', 'text'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]

const COLOURS = { good: 'green', bad: 'red', doubtful: 'yellow', aside: 'dim' } as const
type Paint = (text: string, tone: keyof typeof COLOURS) => string

/** In colour where `stream` is a terminal that takes it and NO_COLOR is not set, or where FORCE_COLOR is. */
const paintFor =
  (stream: NodeJS.WriteStream): Paint =>
  (text, tone) =>
    styleText(COLOURS[tone], text, { stream })

/** A log on standard output. */
export function createLog(format: LogFormat): Logger {
  const { stdout } = process
  const options = { timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level: string) => ({ level }) } }
  if (format === 'json' || (format === 'auto' && !stdout.isTTY)) {
    const out = pino.destination(1)
    return pino(options, { write: (line) => void out.write(escapeControls(line)) })
  }
  // Whoever read it is gone; the program goes on, as it does with JSON.
  stdout.on('error', () => undefined)
  return pino(options, { write: (line) => void stdout.write(renderLogLine(line, paintFor(stdout))) })
}

/** JSON as it was, with the characters escaped that need not be and that move a terminal's cursor or turn the direction of reading. */
export function escapeControls(json: string): string {
  return json.replace(/[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu, (found) => {
    const units = found.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    return units.join('')
  })
}

type LogLine = {
  readonly time: string
  readonly level: string
  readonly msg?: string
  readonly err?: { readonly stack?: string }
}

const LEVEL_TONES: Readonly<Record<string, keyof typeof COLOURS>> = {
  ...{ trace: 'aside', debug: 'aside', info: 'good', warn: 'doubtful', error: 'bad', fatal: 'bad' },
}

/** A line of the log in JSON as text: the time of day here, the level, the message, and below it where an error came from. */
export function renderLogLine(json: string, paint: Paint = (text) => text): string {
  const { time, level, msg = '', err } = JSON.parse(json) as LogLine
  const hours = new Date(time).toLocaleTimeString('en-GB')
  const from = (err?.stack ?? '').split('\n').filter((line) => line !== '')
  return [
    `${paint(hours, 'aside')} ${paint(level.toUpperCase().padEnd(5), LEVEL_TONES[level] ?? 'aside')} ${printable(msg)}`,
    ...from.map((line) => paint(`    ${printable(line)}`, 'aside')),
    '',
  ].join('\n')
}

/** Control and format characters as their code points. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) => `\\u{${found.codePointAt(0)?.toString(16)}}`)
}

/** What in a command's output is a verdict; with the flags `g` and, for beginnings of lines, `m`. */
export type Verdicts = Readonly<Partial<Record<'good' | 'bad' | 'doubtful', RegExp>>>

/** `text` with its verdicts in colour; without colour it is `text`. */
export function paintVerdicts(text: string, verdicts: Verdicts, stream: NodeJS.WriteStream = process.stdout): string {
  const paint = paintFor(stream)
  const tones = ['good', 'bad', 'doubtful'] as const
  return tones.reduce((painted, tone) => {
    const pattern = verdicts[tone]
    return pattern ? painted.replace(pattern, (words) => paint(words, tone)) : painted
  }, text)
}
