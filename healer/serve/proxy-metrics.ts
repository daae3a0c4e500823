// Fetches the proxy's metrics at its socket, to be passed on. What answers there is bounded in time and size, and filtered.
import type { Logger } from 'pino'
import { Client, errors } from 'undici'
import { filterProxyMetrics } from './filter-proxy-metrics.ts'

/** `undefined`: they could not be had. */
export type ReadProxyMetrics = () => Promise<string | undefined>

export type ProxyMetricsOptions = {
  readonly socketPath: string
  readonly log: Logger
  /** For the whole answer, milliseconds; well below Prometheus' own patience of ten seconds. */
  readonly timeoutMs?: number
}

/** The proxy's own are some 20 KiB. */
const MAX_ANSWER_BYTES = 1024 * 1024

/** Asks once for all who ask meanwhile. Never rejects; says in the log when it begins to fail, and when it has ended. */
export function createProxyMetricsReader({ socketPath, log, timeoutMs = 2000 }: ProxyMetricsOptions): ReadProxyMetrics {
  let reading: Promise<string | undefined> | undefined
  let failed = false
  const read = async () => {
    try {
      const text = await fetchMetrics(socketPath, timeoutMs)
      if (failed) log.info('the proxy’s metrics can be had again')
      failed = false
      return text
    } catch (error) {
      if (!failed)
        log.warn(
          `the proxy’s metrics cannot be had at unix://${socketPath}: ${explain(error, timeoutMs)}; the healer’s own are served without them`,
        )
      failed = true
      return undefined
    }
  }
  return () => {
    reading ??= read().finally(() => {
      reading = undefined
    })
    return reading
  }
}

async function fetchMetrics(socketPath: string, timeoutMs: number): Promise<string> {
  // A connection for each, so that none has gone stale between two scrapes. The time is kept by the signal, for the whole of it.
  const client = new Client('http://proxy', {
    socketPath,
    pipelining: 0,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAX_ANSWER_BYTES,
  })
  try {
    const { statusCode, body } = await client.request({
      method: 'GET',
      path: '/metrics',
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (statusCode !== 200) throw new Error(`it answers ${statusCode}`)
    const text = filterProxyMetrics(await body.text())
    if (text === '') throw new Error('what it answers are not the proxy’s metrics')
    return text
  } finally {
    await client.destroy()
  }
}

function explain(error: unknown, timeoutMs: number): string {
  const { name, code, syscall, message } = error as NodeJS.ErrnoException
  if (name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`
  if (syscall === 'connect') return `${code}; is the proxy running, with --metrics?`
  if (error instanceof errors.ResponseExceededMaxSizeError) return `the answer is larger than ${MAX_ANSWER_BYTES} bytes`
  if (error instanceof errors.SocketError) return 'it closed the connection before its answer was whole'
  return message
}
