// The kinds of value that settings take, from the environment and from labels alike: how each is read, and what it
// takes, in words for the message when it is wrong.
import { parseDuration, renderDuration } from './duration.ts'

export type ValueKind<T> = {
  /** What it takes, to follow “takes”. */
  readonly takes: string
  /** The value, or `undefined` where `text` is not one. */
  readonly parse: (text: string) => T | undefined
  /** What is wrong with `text`, where that can be told, to follow “;”. */
  readonly explain?: (text: string) => string | undefined
}

/** A duration of at least `minMs` and at most `maxMs`, in milliseconds. */
export function duration(minMs: number, maxMs = 86_400_000): ValueKind<number> {
  return {
    takes: `a number of seconds or a duration such as 1m30s, at least ${minMs / 1000} s and at most ${renderDuration(maxMs)}`,
    parse(text) {
      const parsed = parseDuration(text)
      return parsed !== undefined && parsed >= minMs && parsed <= maxMs ? parsed : undefined
    },
  }
}

/** How long a probe waits for an answer: not so long that those that never get one keep others from being probed. */
export const probeTimeout = duration(100, 600_000)

export function wholeNumber(min: number, max: number): ValueKind<number> {
  return {
    takes: `a whole number from ${min} to ${max}`,
    parse: (text) => (/^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max ? Number(text) : undefined),
  }
}

export function oneOf<const T extends string>(...words: readonly T[]): ValueKind<T> {
  return { takes: inWords(words), parse: (text) => words.find((word) => word === text) }
}

/** `http, tcp or grpc`. */
export function inWords(words: readonly string[]): string {
  return words.join(', ').replace(/, ([^,]*)$/, ' or $1')
}

export const truth: ValueKind<boolean> = {
  takes: 'true or false',
  parse: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
}

/** A path with an optional query, as it goes into a request line. */
export const httpPath: ValueKind<string> = {
  takes: 'a path such as /health, without spaces',
  parse: (text) => (/^\/[\x21-\x7e]{0,1023}$/.test(text) && !text.includes('#') ? text : undefined),
}

/** A name as it goes into a Host header and into TLS, which takes no address. */
export const hostName: ValueKind<string> = {
  takes: 'a host name such as web.example.com',
  parse: (text) =>
    text.length <= 253 && /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(text)
      ? text
      : undefined,
}

export const filePath: ValueKind<string> = {
  takes: 'the absolute path of a file in the healer’s container',
  parse: (text) => (/^\/[^\0]{1,4095}$/.test(text) ? text : undefined),
}

/** What follows the colon of an HTTP header. */
export const headerValue: ValueKind<string> = {
  takes: 'printable ASCII characters',
  parse: (text) => (/^[\x20-\x7e]{0,1024}$/.test(text) ? text : undefined),
}

export const shortText: ValueKind<string> = {
  takes: 'a text of 1 to 1024 characters',
  parse: (text) => (text.length >= 1 && text.length <= 1024 ? text : undefined),
}

const ESCAPES: ReadonlyMap<string, string> = new Map(Object.entries({ '\\r': '\r', '\\n': '\n', '\\t': '\t', '\\\\': '\\' }))

/** A text in which `\r`, `\n`, `\t`, `\\` and `\x00` to `\xff` stand for one byte each. */
export const bytes: ValueKind<Buffer> = {
  takes: 'a text of 1 to 1024 characters, in which \\r \\n \\t \\\\ and \\x00 to \\xff stand for one byte each',
  parse(text) {
    if (text.length < 1 || text.length > 1024) return undefined
    const parts = text.match(/\\x[0-9a-f]{2}|\\[rnt\\]|[^\\]+/gi) ?? []
    if (parts.join('') !== text) return undefined
    return Buffer.concat(
      parts.map((part) => (/^\\x/i.test(part) ? Buffer.from(part.slice(2), 'hex') : Buffer.from(ESCAPES.get(part) ?? part))),
    )
  },
}

export type StatusRange = { readonly min: number; readonly max: number }

export const statusRanges: ValueKind<readonly StatusRange[]> = {
  takes: 'HTTP status codes and ranges such as 200-299,401',
  parse(text) {
    const ranges = text.split(',').map((part) => /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(part.trim()))
    const parsed = ranges.map((match) => ({ min: Number(match?.[1]), max: Number(match?.[2] ?? match?.[1]) }))
    return parsed.every(({ min, max }) => min <= max) ? parsed : undefined
  },
}

/** Names of containers, or of services of the same compose project. */
export const names: ValueKind<readonly string[]> = {
  takes: 'names of containers or services, separated by commas',
  parse(text) {
    const parts = text.split(',').map((part) => part.trim())
    return parts.every((part) => /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/.test(part)) ? parts : undefined
  },
}

/** A password in it would be left out without a word by what sends the request. */
export const httpUrl: ValueKind<string> = {
  takes: 'an http:// or https:// address without user and password',
  parse(text) {
    if (!/^https?:\/\/[\x21-\x7e]{1,2000}$/.test(text) || !URL.canParse(text)) return undefined
    const { username, password } = new URL(text)
    return username === '' && password === '' ? text : undefined
  },
}

/** What PagerDuty calls an integration key. */
export const routingKey: ValueKind<string> = {
  takes: 'the 32 letters and digits of an integration key of the Events API v2',
  parse: (text) => (/^[A-Za-z0-9]{32}$/.test(text) ? text : undefined),
}

/** What names or proves someone in a header. */
export const credential: ValueKind<string> = {
  takes: '1 to 1024 printable ASCII characters without spaces',
  parse: (text) => (/^[\x21-\x7e]{1,1024}$/.test(text) ? text : undefined),
}

/** Of a label in Prometheus's and Alertmanager's sense. */
export const labelValue: ValueKind<string> = {
  takes: 'a text of 1 to 255 printable characters',
  parse: (text) => (/^[^\p{C}\p{Zl}\p{Zp}]{1,255}$/u.test(text) ? text : undefined),
}

/** The path of a socket. */
export const unixSocket: ValueKind<string> = {
  takes: 'unix:///path/to/socket',
  parse: (text) => /^unix:\/\/(\/.+)$/.exec(text)?.[1],
}

/** Where a Docker Engine API is served. */
export type DockerHost = { readonly socketPath: string } | { readonly host: string; readonly port: number }

export const dockerHost: ValueKind<DockerHost> = {
  takes: `${unixSocket.takes} or tcp://host:port`,
  parse(text) {
    const socketPath = unixSocket.parse(text)
    if (socketPath !== undefined) return { socketPath }
    const tcp = /^tcp:\/\/([a-zA-Z0-9.-]+|\[[0-9a-f:]+\]):(\d{1,5})$/.exec(text)
    return tcp?.[1] !== undefined ? { host: tcp[1], port: Number(tcp[2]) } : undefined
  },
}

/** A secret to be sent as a bearer token (RFC 6750), too long to be guessed. */
export const bearerToken: ValueKind<string> = {
  takes: 'at least 16 letters, digits and -._~+/, such as openssl rand -hex 32 makes',
  parse: (text) => (/^[A-Za-z0-9._~+/-]{16,512}={0,2}$/.test(text) ? text : undefined),
}

export const anyText: ValueKind<string> = { takes: 'a text', parse: (text) => (text === '' ? undefined : text) }
