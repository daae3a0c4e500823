// A client that writes bytes to a socket as they are and reads what comes back. It never repairs and never retries.
import { connect, type Socket } from 'node:net'

export type RawAnswer = {
  /** Such as `HTTP/1.1 404 Not Found`. */
  readonly statusLine: string
  readonly status: number
  /** The header lines as they came, without `Date`. */
  readonly headers: readonly string[]
  readonly body: string
}

/** No wait in a test is longer than this; what has not come by then is not coming. */
const PATIENCE_MS = 60_000

/** Where to talk to: the path of a unix socket, or what makes a connection of another kind. */
export type Where = string | (() => Socket)

/** Writes `bytes` and reads until `answers` whole answers have come or the other side hangs up; gives what came. */
export function talk(where: Where, bytes: string | Buffer, answers = 1): Promise<readonly RawAnswer[]> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = typeof where === 'string' ? connect(where) : where()
    socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    const done = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(parseAnswers(received))
    }
    const timer = setTimeout(done, PATIENCE_MS)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      received += text
      if (parseAnswers(received).length >= answers) done()
    })
    socket.on('close', done)
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE' || error.code === 'ECONNRESET') return
      clearTimeout(timer)
      reject(error)
    })
  })
}

/** One request, plainly written: its answer. */
export async function ask(where: Where, line: string, headers: readonly string[] = []): Promise<RawAnswer> {
  const [answer] = await talk(where, plainRequest(line, headers))
  if (!answer) throw new Error(`no answer to ${line}`)
  return answer
}

export function plainRequest(line: string, headers: readonly string[] = []): string {
  return [`${line} HTTP/1.1`, 'Host: docker', ...headers, '', ''].join('\r\n')
}

/** The message of an answer in the Engine's error shape; fails on any other shape. */
export function messageOf({ body }: RawAnswer): string {
  const parsed: unknown = JSON.parse(body)
  if (typeof parsed === 'object' && parsed !== null && 'message' in parsed && Object.keys(parsed).length === 1) {
    return String(parsed.message)
  }
  throw new Error(`not in the Engine's error shape: ${body}`)
}

function parseAnswers(received: string): readonly RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = received
  for (;;) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) return answers
    const [statusLine = '', ...headers] = rest.slice(0, end).split('\r\n')
    const chunked = headers.some((header) => /^transfer-encoding:/i.test(header))
    // Node's own refusals come in chunks, of which the last alone is of interest here.
    const length = chunked ? rest.indexOf('0\r\n\r\n', end + 4) + 5 - (end + 4) : lengthOf(headers)
    if (length < 0 || rest.length < end + 4 + length) return answers
    const body = Buffer.from(rest.slice(end + 4, end + 4 + length), 'latin1').toString('utf8')
    const status = Number(statusLine.split(' ')[1])
    answers.push({ statusLine, status, headers: headers.filter((header) => !/^date:/i.test(header)), body })
    rest = rest.slice(end + 4 + length)
  }
}

function lengthOf(headers: readonly string[]): number {
  return Number(headers.find((header) => /^content-length:/i.test(header))?.split(':')[1] ?? 0)
}

/** Sends plain requests one after the other over one connection, each once the answer before has come; their statuses. */
export function talkInTurn(socketPath: string, lines: readonly string[]): Promise<readonly number[]> {
  return new Promise((resolve, reject) => {
    let received = ''
    let sent = 0
    const socket = connect(socketPath)
    const next = () => socket.write(plainRequest(lines[sent++] ?? ''))
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error(`no answer to ${lines[sent - 1]}`)))
    socket.setEncoding('latin1')
    socket.once('connect', next)
    socket.on('data', (text: string) => {
      received += text
      const answers = parseAnswers(received)
      if (answers.length === lines.length) {
        socket.destroy()
        resolve(answers.map(({ status }) => status))
      } else if (answers.length === sent) next()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`it hung up after ${sent} requests`)))
  })
}
