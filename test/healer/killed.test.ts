// A healer that is killed at any moment of a restart goes on where it was: nothing is restarted twice for it, and what was ill is healed.
import t from 'tap'
import { temporaryDirectory } from '../support/temporary.ts'
import { createBench, startServer } from './support/bench.ts'

type Moment = {
  readonly what: string
  /** Milliseconds of failure before the kill, where it is not in the middle of a restart. */
  readonly afterMs?: number
  /** In the middle of the restart: whether the Engine has carried it out. */
  readonly midRestart?: 'asked' | 'done'
  /** Restarts in all, by both healers. */
  readonly restarts: number
}

const moments: readonly Moment[] = [
  { what: 'below the threshold', afterMs: 30_000, restarts: 1 },
  { what: 'once the restart was asked for, before the Engine did it', midRestart: 'asked', restarts: 2 },
  { what: 'once the Engine did it, before its answer came', midRestart: 'done', restarts: 1 },
  { what: 'once it was restarted, before a probe saw it well', afterMs: 46_000, restarts: 1 },
  { what: 'once it had recovered', afterMs: 60_000, restarts: 1 },
]

for (const { what, afterMs, midRestart, restarts } of moments) {
  await t.test(`killed ${what}`, async (t) => {
    const directory = temporaryDirectory(t)
    const app = await startServer(t)
    let release = (): void => undefined
    const killed = new Promise<never>((_resolve, reject) => {
      release = () => reject(new Error('released'))
    })
    killed.catch(() => 'the first healer is dead')
    const first = createBench(t, {}, directory)
    const web = first.docker.add('web', app.port)
    first.docker.onRestart = (container) => {
      if (midRestart !== 'asked') {
        app.status(200)
        first.docker.startAnew(container)
      }
      return midRestart === undefined ? { outcome: 'restarted' } : killed
    }
    await first.start()
    app.status(503)
    if (afterMs !== undefined) await first.clock.advance(afterMs)
    else {
      await first.clock.advance(40_000)
      // The watcher does not come to rest any more.
      await first.clock.settled(1)
      await first.clock.advance(5000)
      while (first.docker.restarts.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    if (midRestart === undefined) await first.stop()

    const next = createBench(t, {}, directory)
    next.docker.containers.set(web.summary.id, web)
    next.docker.onRestart = (container) => {
      app.status(200)
      next.docker.startAnew(container)
      return { outcome: 'restarted' }
    }
    const healer = await next.start()
    await next.clock.advance(120_000)
    t.equal(first.docker.restarts.length + next.docker.restarts.length, restarts, 'restarts in all')
    t.match(healer.view().containers[0]?.state, { health: 'healthy', failures: 0, incident: undefined, notRestarting: undefined })
    const told = [...first.log, ...next.log].filter((line) => line.startsWith('Successfully restarted: web'))
    t.equal(told.length, 1, 'that it was restarted is said once, by whichever healer knows it')
    release()
  })
}
