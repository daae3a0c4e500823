// What goes wrong during a soak: each fault comes, lasts a few seconds and goes, and all is there again once it resolves.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { App } from '../faults/support/app.ts'
import type { Part } from '../faults/support/part.ts'
import type { Stage } from '../faults/support/stage.ts'
import type { Random } from './random.ts'

export type Fault = {
  readonly name: string
  /** After it a restart that was under way may have to be made once more. */
  readonly interrupts: boolean
  readonly happen: () => Promise<void>
}

/** All faults there are; `well` are apps that are never made ill. */
export function faultsOf(stage: Stage, well: readonly App[], { between, pick }: Random): readonly Fault[] {
  const { proxy, healer, engine, receiver, directory } = stage
  const aWhile = (from: number, to: number) => delay(between(from, to))
  const killed = (part: Part): Fault => ({
    name: `the ${part.name} is killed`,
    interrupts: true,
    async happen() {
      await part.kill()
      await aWhile(0, 3000)
      await part.start()
    },
  })
  const stopped = (part: Part): Fault => ({
    name: `the ${part.name} is stopped`,
    interrupts: true,
    async happen() {
      part.signal('SIGTERM')
      await part.ended()
      await aWhile(0, 3000)
      await part.start()
    },
  })
  const held = (what: 'requests' | 'answers'): Fault => ({
    name: `the engine is slow to restart (${what})`,
    interrupts: false,
    async happen() {
      void engine.hold(what)
      await aWhile(2000, 8000)
      engine.release()
    },
  })
  const untold = (how: 'gone' | 'silent'): Fault => ({
    name: `those who are told are ${how}`,
    interrupts: false,
    async happen() {
      await receiver.fail(how)
      await aWhile(3000, 15_000)
      await receiver.recover()
    },
  })
  return [
    ...[healer, proxy].flatMap((part) => [killed(part), stopped(part)]),
    held('requests'),
    held('answers'),
    untold('gone'),
    untold('silent'),
    {
      name: 'the engine is gone',
      interrupts: true,
      async happen() {
        await engine.close()
        await aWhile(1000, 10_000)
        await engine.open()
      },
    },
    {
      name: 'the socket of the proxy is removed',
      interrupts: true,
      async happen() {
        rmSync(join(directory, 'shared/proxy.sock'))
        await proxy.ended()
        await proxy.start()
      },
    },
    {
      name: 'the healer stands still',
      interrupts: false,
      async happen() {
        healer.signal('SIGSTOP')
        await aWhile(2000, 10_000)
        healer.signal('SIGCONT')
      },
    },
    {
      name: 'one that is well is slow to answer',
      interrupts: false,
      async happen() {
        const app = pick(well)
        app?.container.signal('SIGSTOP')
        await aWhile(500, 3000)
        app?.container.signal('SIGCONT')
      },
    },
    {
      name: 'one that is well crashes',
      interrupts: false,
      async happen() {
        pick(well)?.container.signal('SIGKILL')
      },
    },
  ]
}
