// What goes on is passed on: bytes as they come, and JSON objects, one to a line, cut one by one. What cannot be read is not shown: the stream breaks off there.
import { Transform, type TransformCallback } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { isSafeNumber, parse, stringify } from 'lossless-json'
import type { Approved } from '../policy/decide.ts'
import { EVERYTHING } from '../policy/target.ts'
import { operationOf } from '../request/catalogue.ts'
import { eventInScope, type Knows, withoutCommands } from '../show/cut-event.ts'
import { project } from '../show/project.ts'

/** The longest object that is taken in, in characters. */
const MAX_OBJECT = 1024 * 1024

/** Through which the answer to `approved` has to go. */
export function cutterOf(approved: Approved, knows: Knows): Transform {
  const { operation, show, scope } = approved
  const isEvents = operation === 'SystemEvents'
  if (operationOf(operation).answer !== 'objects' || (show === 'all' && (!isEvents || scope === EVERYTHING))) return unchanged()
  return cutObjects(async (value) => {
    const inScope = isEvents ? await eventInScope(value, scope, knows) : value
    if (inScope === undefined || show === 'all') return inScope
    return project(isEvents ? withoutCommands(inScope, show) : inScope, show)
  })
}

/** Bytes as they come. */
function unchanged(): Transform {
  return new Transform({ transform: (chunk, _encoding, done) => done(null, chunk) })
}

/** Passes on what `cut` keeps of each object, in order: nothing (`undefined`), the object as it came, or another. A number that JavaScript has no room for keeps its digits. */
function cutObjects(cut: (value: unknown) => Promise<unknown>): Transform {
  const decoder = new StringDecoder('utf8')
  let begun = ''

  const take = async (stream: Transform, text: string, isEnd: boolean): Promise<void> => {
    const lines = `${begun}${text}`.split('\n')
    begun = isEnd ? '' : (lines.pop() ?? '')
    if (begun.length > MAX_OBJECT) throw new Error('an object of the Engine’s is larger than is taken in')
    for (const line of lines) {
      if (line.trim() === '') continue
      const value = parse(line, undefined, readNumber)
      const kept = await cut(value)
      if (kept !== undefined) stream.push(`${kept === value ? line : stringify(kept)}\n`)
    }
  }
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      take(this, decoder.write(chunk), false).then(() => done(), done)
    },
    flush(done: TransformCallback) {
      take(this, decoder.end(), true).then(() => done(), done)
    },
  })
}

function readNumber(digits: string): unknown {
  if (isSafeNumber(digits)) return Number(digits)
  return /^-?\d+$/.test(digits) ? BigInt(digits) : Number(digits)
}
