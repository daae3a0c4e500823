// A healer on a fake Docker and a clock that stands still, with real HTTP servers for containers.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import type { Test } from 'tap'
import type { Docker } from '../../../healer/docker/docker.ts'
import type { Happening } from '../../../healer/health/happening.ts'
import { createHealer, type Healer, type HealerOptions } from '../../../healer/loop/healer.ts'
import { readEnvironment } from '../../../healer/settings/environment.ts'
import { openMemory } from '../../../healer/state/memory.ts'
import { openRules, type RuleStore } from '../../../healer/state/rules.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { createFakeDocker, type FakeDocker } from './fake-docker.ts'

export type App = {
  handler: RequestListener
  requests: number
  port: number
  /** Answers with `code` from now on. */
  readonly status: (code: number) => void
}

/** A server on 127.0.0.1 whose answer a test can change; closed when the test ends. */
export async function startServer(t: Test): Promise<App> {
  const app: App = {
    handler: (_request, response) => response.end('ok'),
    requests: 0,
    port: 0,
    status(code) {
      app.handler = (_request, response) => response.writeHead(code).end()
    },
  }
  const server = createServer((request, response) => {
    app.requests += 1
    app.handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  app.port = (server.address() as AddressInfo).port
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return app
}

export type Bench = {
  readonly clock: FakeClock
  readonly docker: FakeDocker
  readonly happenings: { readonly name: string; readonly happening: Happening }[]
  /** Probes over the network that found something out. */
  readonly probed: { readonly name: string; readonly durationMs: number }[]
  /** The kinds of what happened to the container `name`, in order. */
  readonly kinds: (name: string) => string[]
  readonly log: string[]
  /** Hears of what happens, beside `happenings`. */
  hear: HealerOptions['onHappening'] | undefined
  /** The alerts that fire, of the healer that was started. */
  readonly rules: () => RuleStore
  /** Starts it and waits until the loop and `watched` watchers have come to rest. */
  readonly start: (watched?: number) => Promise<Healer>
  readonly stop: () => Promise<void>
}

/** `env` is over the healer's defaults; a test adds containers to `docker` before it starts the healer, which gets at it by `reach`. */
export function createBench(
  t: Test,
  env: NodeJS.ProcessEnv = {},
  stateDir: string = temporaryDirectory(t),
  reach: (docker: FakeDocker) => Docker | Promise<Docker> = (docker) => docker,
): Bench {
  const clock = createFakeClock()
  const docker = createFakeDocker(clock)
  const happenings: Bench['happenings'][number][] = []
  const probed: Bench['probed'][number][] = []
  const log: string[] = []
  const stopping = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let rules: RuleStore | undefined
  const stop = async () => {
    stopping.abort()
    await running
  }
  t.teardown(stop)
  const bench: Bench = {
    hear: undefined,
    clock,
    docker,
    happenings,
    probed,
    kinds: (name) => happenings.filter((one) => one.name === name).map((one) => one.happening.kind),
    log,
    rules() {
      if (!rules) throw new Error('the healer was not started')
      return rules
    },
    async start(watched = docker.containers.size) {
      const logger = pino({}, { write: (line: string) => void log.push(JSON.parse(line).msg) })
      rules = await openRules(stateDir, clock, logger)
      const healer = createHealer({
        docker: await reach(docker),
        clock,
        memory: await openMemory(stateDir, clock, logger),
        rules,
        environment: readEnvironment({ START_PERIOD: '0', ...env }),
        log: logger,
        async onHappening(container, happening, state) {
          happenings.push({ name: container.name, happening })
          await bench.hear?.(container, happening, state)
        },
        onProbed: (name, durationMs) => void probed.push({ name, durationMs }),
        ownCidrs: () => ['127.0.0.1/8'],
      })
      running = healer.run(stopping.signal)
      await clock.settled(watched + 1)
      return healer
    },
    stop,
  }
  return bench
}
