// Names that are resolved by a server of the tests' own, which can be gone. Where the mounts are the tests' own: it takes the place of the
// machine's.
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type Names = {
  /** From now on nobody is answered. */
  readonly fail: () => void
  readonly recover: () => void
  /** Questions that it left without an answer. */
  readonly ignored: () => number
}

/** Every name is 127.0.0.1. */
export async function serveNames(directory: string): Promise<Names> {
  const file = join(directory, 'resolv.conf')
  writeFileSync(file, 'nameserver 127.0.0.1\n')
  execFileSync('mount', ['--bind', file, '/etc/resolv.conf'])
  let isSilent = false
  let ignored = 0
  const socket = createSocket('udp4')
  socket.on('message', (question, { address, port }) => {
    if (isSilent) ignored += 1
    else socket.send(answerTo(question), port, address)
  })
  await new Promise<void>((resolve) => socket.bind(53, '127.0.0.1', resolve))
  socket.unref()
  return {
    fail: () => {
      isSilent = true
    },
    recover: () => {
      isSilent = false
    },
    ignored: () => ignored,
  }
}

const TYPE_A = 1

/** Source: RFC 1035, section 4. Of IPv6 there is nothing. */
function answerTo(message: Buffer): Buffer {
  const endOfName = message.indexOf(0, 12) + 1
  const question = message.subarray(12, endOfName + 4)
  const isA = message.readUInt16BE(endOfName) === TYPE_A
  const header = Buffer.from([...message.subarray(0, 2), 0x81, 0x80, 0, 1, 0, isA ? 1 : 0, 0, 0, 0, 0])
  const address = [0xc0, 12, 0, TYPE_A, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]
  return Buffer.concat([header, question, Buffer.from(isA ? address : [])])
}
