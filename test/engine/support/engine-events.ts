// What the Engine did, as it tells of it itself: its events, live, since it forgets all but the last few hundred.
import { spawn } from 'node:child_process'
import type { Test } from 'tap'
import { docker, waitFor } from './composition.ts'

export type EngineEvent = {
  readonly Type: string
  readonly Action: string
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> }
}

export type EngineEvents = {
  /** All that happened between the call that gave this and this one. */
  readonly sofar: () => Promise<readonly EngineEvent[]>
}

/** Listens until the test ends. `witness` is a container of the test's own, which is paused to mark a moment. */
export async function followEngine(t: Test, witness: string): Promise<EngineEvents> {
  const child = spawn('docker', ['events', '--format', '{{json .}}'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill())
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (more: string) => {
    text += more
  })
  const read = () =>
    text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as EngineEvent]))
  const isMark = ({ Action, Actor }: EngineEvent) => Actor.Attributes.name === witness && /pause$/.test(Action)
  const marks = () => read().filter(isMark).length
  const mark = async () => {
    const before = marks()
    await docker('pause', witness)
    await docker('unpause', witness)
    return before + 2
  }
  // Nobody tells when it listens.
  await waitFor('the Engine to tell of what it does', async () => {
    await mark()
    return marks() > 0
  })
  return {
    async sofar() {
      const wanted = await mark()
      await waitFor('the Engine to have told all', async () => marks() >= wanted)
      return read().filter((event) => !isMark(event))
    },
  }
}
