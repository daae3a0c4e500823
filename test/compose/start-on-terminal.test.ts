// `npm start` on a real terminal, as a person sees it, and what is left of it after Ctrl-C.
import t from 'tap'
import { freePort } from '../support/free-port.ts'
import { noPty, startOnTerminal } from '../support/pty.ts'
import { createFakeTerminal } from './support/fake-terminal.ts'

await t.test(
  'npm start on a terminal: a live picture below the log; Ctrl-C stops it all, and leaves the terminal as it was',
  { timeout: 90_000, skip: noPty },
  async (t) => {
    const [app, healer] = [await freePort(), await freePort()]
    const env = { SAMPLE_APP_PORT: `${app}`, HEALER_PORT: `${healer}`, CHECK_INTERVAL: '1' }
    const all = startOnTerminal(`${process.execPath} --import=tsx compose/embedded/main.ts`, env)
    t.teardown(() => all.child.kill('SIGKILL'))
    const said = async (words: string) => {
      const deadline = Date.now() + 50_000
      while (!all.output().includes(words)) {
        if (all.child.exitCode !== null || Date.now() > deadline) throw new Error(`it did not show ${words}: ${all.output()}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    await said('● healthy')
    const running = createFakeTerminal()
    running.stream.write(all.output())
    t.match(
      (await running.rows()).join('\n'),
      /\n ● healthy {3}sample-app {2}•+ +(next probe in \d+ s|probing now)\n {25}answered 200\n/,
    )
    all.child.stdin?.write('\x03')
    t.equal(await all.ended, 0)
    const ended = createFakeTerminal()
    ended.stream.write(all.output())
    t.match(
      (await ended.rows()).join('\n'),
      /sample-app — healthy: answered 200\n[\s\S]*\nstopped: no process and no socket is left$/,
    )
    t.notMatch((await ended.rows()).join('\n'), /next probe|Ctrl-C/)
    t.ok(await ended.isAsFound())
    await t.rejects(fetch(`http://127.0.0.1:${app}/`))
  },
)
