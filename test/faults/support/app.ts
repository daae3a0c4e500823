// What is watched in the tests of faults: processes that answer 200 to a probe for as long as a file is there, which each makes when it
// starts. So a test makes one ill by removing its file, and a restart heals it.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ProcessContainer } from '../../../compose/embedded/process-container.ts'
import { BUSYBOX } from '../../engine/support/second-engine.ts'

export type App = {
  readonly name: string
  readonly container: ProcessContainer
  /** Fails from now on, until it is restarted. */
  readonly fail: () => void
  /** Does not answer from now on, until it is restarted. */
  readonly hang: () => void
  readonly isWell: () => boolean
  /** How often it was started, by whomever. */
  readonly starts: () => number
}

/** Without a busybox each takes the 40 MB of a Node. */
export const IS_LIGHT = BUSYBOX !== undefined

export type AppOptions = {
  readonly name: string
  readonly port: number
  /** All that listen at one port have an address each. */
  readonly number: number
  readonly directory: string
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Never well. */
  readonly incurable?: boolean | undefined
  readonly onProcess: (pid: number, event: 'started' | 'ended') => void
}

const SERVE = `
const [, file, host, port] = process.argv, fs = require('fs')
if (file !== '') fs.writeFileSync(file, 'ok')
require('http').createServer((request, response) => response.writeHead(fs.existsSync(file) ? 200 : 404).end()).listen(port, host)`

export function createApp(options: AppOptions): App {
  const { name, port, number, directory, labels = {}, incurable = false, onProcess } = options
  const address = `127.1.${Math.floor(number / 200)}.${(number % 200) + 1}`
  const place = join(directory, name)
  const health = join(place, 'health')
  const begin = incurable ? '' : 'echo ok > health; '
  const busybox = ['sh', '-c', `mkdir -p ${place}; cd ${place}; ${begin}exec ${BUSYBOX} httpd -f -p ${address}:${port}`]
  const node = [process.execPath, '-e', SERVE, incurable ? '' : `${place}-health`, address, String(port)]
  let starts = 0
  const container = new ProcessContainer(
    {
      name,
      labels: { monitored: 'true', 'healer.port': String(port), 'healer.path': '/health', ...labels },
      image: 'app',
      command: IS_LIGHT ? busybox : node,
      env: {},
      cwd: directory,
      tcpPorts: [port],
      address,
      mounts: [],
      network: 'apps',
      restart: 'unless-stopped',
      stopTimeoutMs: 1000,
    },
    () => undefined,
    (pid, event) => {
      if (event === 'started') starts += 1
      onProcess(pid, event)
    },
  )
  const file = IS_LIGHT ? health : `${place}-health`
  return {
    name,
    container,
    fail: () => rmSync(file, { force: true }),
    hang: () => container.signal('SIGSTOP'),
    isWell: () => container.state === 'running' && existsSync(file),
    starts: () => starts,
  }
}
