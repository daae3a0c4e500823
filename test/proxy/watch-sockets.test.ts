// A socket whose way is blocked is as good as removed: that is told, and is no fault of whoever looks.
import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { watchSockets } from '../../proxy/serve/watch-sockets.ts'
import { temporaryDirectory } from '../support/temporary.ts'

t.test('a socket that cannot be looked at any more is told of', async (t) => {
  const directory = join(temporaryDirectory(t), 'sockets')
  mkdirSync(directory)
  const path = join(directory, 'healer.sock')
  writeFileSync(path, '')
  const { removed, stop } = watchSockets([path])
  // The process has nothing else to wait for.
  const waiting = setInterval(() => undefined, 100)
  t.teardown(() => {
    stop()
    clearInterval(waiting)
  })
  renameSync(directory, `${directory}.old`)
  // It leads to itself.
  symlinkSync(directory, directory)
  t.equal(await removed, `the socket ${path} was removed from under the proxy`)
})
