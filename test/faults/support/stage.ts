// Proxy and healer on the embedded engine, with apps to heal. All of it runs as processes of this machine, and is gone afterwards, however
// that comes.
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngineServer } from '../../../compose/embedded/engine-api.ts'
import { freePort } from '../../support/free-port.ts'
import { type App, createApp } from './app.ts'
import { type Postern, type PosternOptions, startPostern } from './postern.ts'

export type Stage = Postern & {
  readonly app: (name: string) => App
  readonly apps: readonly App[]
}

export type StageOptions = Omit<PosternOptions, 'onProcess'> & {
  readonly apps: readonly {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly incurable?: boolean
  }[]
}

const UNDERTAKER = new URL('../../../compose/embedded/undertaker.ts', import.meta.url).pathname
/** So many are started at a time. */
const AT_A_TIME = 50

/** Starts all of it; resolves once both programs serve. */
export async function startStage(options: StageOptions): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  chmodSync(directory, 0o755)
  const [appsDirectory, socket] = [join(directory, 'apps'), join(directory, 'e.sock')]
  mkdirSync(appsDirectory)
  const { onProcess, bury } = startUndertaker(directory)
  const port = await freePort()
  const apps = options.apps.map((app, number) => createApp({ ...app, port, number, directory: appsDirectory, onProcess }))
  const server = createEngineServer(() => apps.map(({ container }) => container))
  const clear = async () => {
    await Promise.all([close(server), ...apps.map(({ container }) => container.stop(0))])
    await bury()
  }
  try {
    for (let i = 0; i < apps.length; i += AT_A_TIME)
      await Promise.all(apps.slice(i, i + AT_A_TIME).map(({ container }) => container.start()))
    await new Promise<void>((resolve) => server.listen(socket, resolve))
    const postern = await startPostern(directory, socket, { ...options, onProcess })
    const byName = new Map(apps.map((app) => [app.name, app]))
    return {
      ...postern,
      apps,
      app(name) {
        const found = byName.get(name)
        if (!found) throw new Error(`there is no ${name}`)
        return found
      },
      async end() {
        await postern.end()
        await clear()
      },
    }
  } catch (error) {
    await clear()
    throw error
  }
}

/** Ends what is left of processes and removes `directory`, however this process ends. */
function startUndertaker(directory: string) {
  const undertaker = spawn(process.execPath, ['--import=tsx', UNDERTAKER, directory], {
    env: { PATH: process.env.PATH },
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const buried = new Promise<void>((resolve) => undertaker.once('exit', () => resolve()))
  return {
    onProcess: (pid: number, event: 'started' | 'ended') =>
      void undertaker.stdin.write(`${event === 'started' ? '+' : '-'}${pid}\n`),
    async bury() {
      undertaker.stdin.end()
      await buried
    },
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
