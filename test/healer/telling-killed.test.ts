// A healer that is killed between any two steps of telling: started anew, it tells all that happened, in order, and what may come twice is the
// same alert under the same id.
import { cpSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { GROUP_WAIT_MS } from '../../healer/alert/sender.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { FAILING, plainReceiver, RECOVERED, RESTARTED, startTelling } from './support/telling.ts'

const HAPPENINGS = [FAILING, RESTARTED, RECOVERED, FAILING, RESTARTED]

await t.test('killed at any moment, it goes on where it was', async (t) => {
  const stateDir = temporaryDirectory(t)
  /** What a healer would find that was killed at that moment, and what was taken by then. */
  const moments: { readonly directory: string; readonly taken: readonly string[] }[] = []
  const taken: string[] = []
  const snapshot = () => {
    const directory = mkdtempSync(join(tmpdir(), 'postern-'))
    cpSync(join(stateDir, 'alerts.json'), join(directory, 'alerts.json'))
    moments.push({ directory, taken: [...taken] })
  }
  const first = await startTelling(t, {
    stateDir,
    receivers: [plainReceiver('ops', { maxBatch: 1 })],
    answer(_name, alerts) {
      snapshot()
      taken.push(...alerts.map(({ id }) => id))
      snapshot()
      return { outcome: 'delivered', answer: '' }
    },
  })
  for (const happening of HAPPENINGS) {
    await first.happen('web', happening)
    snapshot()
    await first.clock.advance(GROUP_WAIT_MS)
    snapshot()
  }
  await first.stop()
  const all = [...taken]
  t.equal(all.length, 3, 'restarted, recovered, restarted')
  t.ok(moments.length >= 16)

  for (const { directory, taken: before } of moments) {
    const onDisk = JSON.parse(readFileSync(join(directory, 'alerts.json'), 'utf8'))
    const queued: string[] = (onDisk.outbox.ops ?? []).map(({ id }: { id: string }) => id)
    const { clock, alerts, stop } = await startTelling(t, { stateDir: directory })
    await clock.advance(GROUP_WAIT_MS)
    t.same(
      alerts().map(({ id }) => id),
      queued,
      'all that was on the disk, in order',
    )
    const heard = [...new Set([...before, ...queued])]
    t.same(heard, all.slice(0, heard.length), 'nothing is missing in between')
    t.ok(queued.filter((id) => before.includes(id)).length <= 1, 'and one at most comes twice')
    await stop()
  }
})
