// The TCP probe: a connection; and where asked for, some bytes sent, and some that must come back.
import { connect } from 'node:net'
import { type Attempt, attempt, type Target } from './attempt.ts'
import { quoteBytes } from './quote.ts'
import { failure, type ProbeResult, success } from './result.ts'

export type TcpProbe = Target & {
  readonly kind: 'tcp'
  readonly send: Buffer | undefined
  /** What the answer has to hold. */
  readonly expect: Buffer | undefined
}

const MAX_ANSWER_BYTES = 16 * 1024

/** Probes once. Never rejects; takes no longer than `timeoutMs`, or than until `signal` aborts. */
export function probeTcp(probe: TcpProbe, signal?: AbortSignal): Promise<ProbeResult> {
  const { address, port, send, expect } = probe
  const open = ({ end, fail }: Attempt) => {
    const socket = connect({ host: address, port, noDelay: true })
    let answer = Buffer.alloc(0)
    const soFar = () => (answer.length > 0 ? `answered ${quoteBytes(answer)}` : 'answered nothing')
    const wrong = (words: string) => end(failure(expect === undefined ? words : `${words}, not ${quoteBytes(expect)}`))
    socket.on('error', fail)
    socket.on('connect', () => {
      if (send !== undefined) socket.write(send, () => expect === undefined && end(success('connected')))
      else if (expect === undefined) end(success('connected'))
    })
    // Unread where nothing is expected, so that nothing is held.
    if (expect !== undefined) {
      socket.on('data', (chunk: Buffer) => {
        answer = Buffer.concat([answer, chunk.subarray(0, MAX_ANSWER_BYTES - answer.length)])
        if (answer.includes(expect)) end(success(`answered ${quoteBytes(answer)}`))
        else if (answer.length >= MAX_ANSWER_BYTES) wrong(soFar())
      })
    }
    socket.on('end', () => wrong(`${soFar()} and closed the connection`))
    socket.on('close', () => wrong(`${soFar()} and closed the connection`))
    return {
      destroy: () => void socket.destroy(),
      tooLate: () => (expect !== undefined && answer.length > 0 ? `${soFar()}, not ${quoteBytes(expect)},` : undefined),
    }
  }
  return attempt(probe, open, signal)
}
