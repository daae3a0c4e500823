// A fleet of containers that are none, on the other core, and who is measured on it: the healer as it ships, and its peer.
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Pool } from 'undici'
import { freePort } from '../../support/free-port.ts'
import { builtProgram, compiled, imageFlags } from '../../support/programs.ts'
import { found, startOn } from '../machine.ts'
import { type Stage, untilListening } from '../started.ts'

/** What the fleet saw since it was last asked. */
export type Noted = {
  readonly probes: number
  /** From one probe of a container to the next. */
  readonly gapsMs: readonly number[]
  /** From the last failed answer of a container to the moment that the Engine was asked to restart it. */
  readonly restartsAfterMs: readonly number[]
  /** What Docker was asked for: one container, or all of them. */
  readonly looks: number
  readonly lists: number
}

export type Fleet = {
  readonly socketPath: string
  /** Where its containers answer, each at an address of its own. */
  readonly port: number
  readonly noted: () => Promise<Noted>
  /** Container number `i`, from 0 on, fails from now on, until it is restarted. */
  readonly fail: (i: number) => Promise<void>
}

export async function startFleet(stage: Stage, count: number): Promise<Fleet> {
  const socketPath = join(stage.directory, `fleet-${count}.sock`)
  const port = await freePort()
  stage.keep(startOn('other', [process.execPath, compiled('bench/fleet/stub.ts'), socketPath, String(count), String(port)]))
  await untilListening(socketPath)
  // The proxy runs as nobody.
  chmodSync(socketPath, 0o777)
  const asking = new Pool('http://fleet', { socketPath })
  stage.atEnd(() => asking.close())
  const idOf = (i: number) => (i + 1).toString(16).padStart(64, '0')
  return {
    socketPath,
    port,
    noted: async () => (await (await asking.request({ method: 'GET', path: '/noted' })).body.json()) as Noted,
    fail: async (i) => (await asking.request({ method: 'POST', path: `/containers/${idOf(i)}/ill` })).body.dump(),
  }
}

export type MeasuredHealer = {
  readonly pid: number
  readonly url: string
  readonly stateDir: string
  readonly end: () => Promise<void>
}

/** Starts the healer with an interval of a second, and waits until it has looked at all once. `dockerHost`: as `DOCKER_HOST` has it. */
export async function startHealer(stage: Stage, dockerHost: string, name = 'healer'): Promise<MeasuredHealer> {
  const port = await freePort()
  const stateDir = join(stage.directory, name)
  mkdirSync(stateDir)
  const env = {
    PATH: process.env.PATH,
    DOCKER_HOST: dockerHost,
    CHECK_INTERVAL: '1s',
    START_PERIOD: '0',
    HEALER_PORT: String(port),
    HEALER_HOST: '127.0.0.1',
    STATE_DIR: stateDir,
  }
  const started = stage.keep(
    startOn('measured', [process.execPath, ...imageFlags('healer'), builtProgram('healer'), 'run'], { env }),
  )
  await untilListening(port)
  const url = `http://127.0.0.1:${port}`
  const asking = new Pool(url)
  for (let ready = false; !ready; ) {
    const { statusCode, body } = await asking.request({ method: 'GET', path: '/readyz' })
    await body.dump()
    ready = statusCode === 200
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  await asking.close()
  return { ...started, url, stateDir }
}

/** Where the first container of a fleet answers. */
const FIRST = '127.1.0.1'

export type Blackbox = { readonly name: string; readonly pid: number; readonly probe: () => Promise<void> }

/** blackbox_exporter as Debian ships it, asked as Prometheus asks it; each probe is a connection of its own to the fleet. */
export async function startBlackbox(stage: Stage, { port: fleetPort }: Fleet): Promise<Blackbox | undefined> {
  const blackbox = found('prometheus-blackbox-exporter')
  if (blackbox === undefined) return undefined
  const port = await freePort()
  const config = stage.file('blackbox.yml', 'modules: { http_2xx: { prober: http, http: { preferred_ip_protocol: ip4 } } }\n')
  const args = [`--config.file=${config}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error']
  const { pid } = stage.keep(startOn('measured', [blackbox, ...args]))
  await untilListening(port)
  const asking = new Pool(`http://127.0.0.1:${port}`, { connections: 16 })
  stage.atEnd(() => asking.close())
  const path = `/probe?module=http_2xx&target=${encodeURIComponent(`http://${FIRST}:${fleetPort}/health`)}`
  return {
    name: 'blackbox_exporter',
    pid,
    async probe() {
      const { body } = await asking.request({ method: 'GET', path, headers: { 'accept-encoding': 'gzip' } })
      await body.dump()
    },
  }
}
