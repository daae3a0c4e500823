// A small service that can be made ill in the ways that services are. For trying Postern and for its tests.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/**
 * `error`: 503. `hang`: no answer. `slow`: an answer after 10 s. `stubborn`: 503, and SIGTERM is ignored. `crash`: it exits.
 * `requests`: `GET /` answers 500 though `GET /health` answers 200, as of a service whose health check looks at too little.
 */
export const BREAK_MODES = ['error', 'hang', 'crash', 'slow', 'stubborn', 'requests'] as const
export type BreakMode = (typeof BREAK_MODES)[number]

export type SampleApp = {
  readonly server: Server
  /** Whether SIGTERM is to be ignored. */
  readonly isStubborn: () => boolean
}

const SLOW_MS = 10_000

/** `exit` is called with 1 by `POST /break?mode=crash`. */
export function createSampleApp(exit: (code: number) => void, slowMs: number = SLOW_MS): SampleApp {
  let broken: BreakMode | undefined
  const registry = new Registry()
  const registers = [registry]
  const requests = new Counter({
    name: 'sample_app_requests_total',
    help: 'Requests answered.',
    labelNames: ['method', 'path', 'status'],
    registers,
  })
  const seconds = new Histogram({
    name: 'sample_app_request_duration_seconds',
    help: 'Seconds from request to answer.',
    labelNames: ['path'],
    registers,
  })
  const healthy = new Gauge({ name: 'sample_app_healthy', help: '1 while healthy, 0 while broken.', registers })
  healthy.set(1)

  const answer = (response: ServerResponse, status: number, body: object) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
  }
  const setBroken = (mode: BreakMode | undefined) => {
    broken = mode
    healthy.set(mode === undefined ? 1 : 0)
  }
  /** Answers as a service in this state would. */
  const serve = (response: ServerResponse, status: number, body: object) => {
    if (broken === 'hang') return
    if (broken === 'slow') setTimeout(() => answer(response, status, body), slowMs).unref()
    else answer(response, status, body)
  }

  const routes: Record<string, (response: ServerResponse, url: URL) => void | Promise<void>> = {
    'GET /': (response) =>
      serve(response, broken === 'requests' ? 500 : 200, { service: 'sample-app', healthy: broken === undefined }),
    'GET /health': (response) =>
      broken === undefined || broken === 'slow' || broken === 'requests'
        ? serve(response, 200, { status: 'ok' })
        : serve(response, 503, { status: 'degraded', reason: `broken by hand (${broken})` }),
    'POST /break': (response, url) => {
      const mode = BREAK_MODES.find((known) => known === (url.searchParams.get('mode') ?? 'error'))
      if (!mode) return answer(response, 400, { message: `mode is one of ${BREAK_MODES.join(', ')}` })
      setBroken(mode)
      if (mode === 'crash') response.on('finish', () => exit(1))
      answer(response, 200, { message: 'The app is now unhealthy', mode })
    },
    'POST /fix': (response) => {
      setBroken(undefined)
      answer(response, 200, { message: 'The app is now healthy' })
    },
    'GET /metrics': async (response) => {
      response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics())
    },
  }

  const handle = (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://sample-app')
    const route = routes[`${request.method} ${url.pathname}`]
    const path = route ? url.pathname : 'other'
    const stopTimer = seconds.startTimer({ path })
    response.on('finish', () => {
      stopTimer()
      requests.inc({ method: request.method ?? '', path, status: response.statusCode })
    })
    if (route) void route(response, url)
    else answer(response, 404, { message: `here are ${Object.keys(routes).join(', ')}` })
  }
  return { server: createServer(handle), isStubborn: () => broken === 'stubborn' }
}
