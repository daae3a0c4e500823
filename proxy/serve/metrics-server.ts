// The socket for metrics and health. Knows no policy, and asks the Engine for nothing but a ping.
import type { Engine } from '../engine/engine.ts'
import type { Answer } from '../show/answer.ts'
import { type BoundedServer, createBoundedServer } from './bounded-server.ts'
import type { ProxyMetrics } from './metrics.ts'

/** `GET /metrics` and `GET /healthz`: 200 if the Engine answers a ping, 503 if not. */
export function createMetricsServer(engine: Engine, metrics: ProxyMetrics): BoundedServer {
  // However many ask at once, one ping answers them all.
  let pinging: Promise<Answer> | undefined
  const ping = () => {
    pinging ??= pingEngine(engine, metrics).finally(() => {
      pinging = undefined
    })
    return pinging
  }
  return createBoundedServer({
    async answer({ target }) {
      if (target === '/healthz') return ping()
      if (target !== '/metrics') return plain(404, 'here are /metrics and /healthz')
      return { status: 200, headers: { 'content-type': metrics.contentType }, body: await metrics.render() }
    },
    refused: async ({ status, reason }) => plain(status, reason),
    dropped: () => undefined,
  })
}

async function pingEngine(engine: Engine, metrics: ProxyMetrics): Promise<Answer> {
  try {
    const { status } = await engine.ask({ method: 'GET', path: '/_ping', isRead: true, timeoutMs: 5000 })
    metrics.engineUp(status === 200)
    return status === 200 ? plain(200, 'ok') : plain(503, `the Engine answers its ping with ${status}`)
  } catch (error) {
    metrics.engineUp(false)
    return plain(503, (error as Error).message)
  }
}

function plain(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` }
}
