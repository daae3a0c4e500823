// The reader of bodies of JSON: what goes out says what came in, the same to a reader of JSON, and every number digit by digit.
import fc from 'fast-check'
import type { ApiRequest } from '../../../proxy/request/api-request.ts'
import { CATALOGUE } from '../../../proxy/request/catalogue.ts'
import { readBody } from '../../../proxy/request/read-body.ts'
import { edited } from '../edits.ts'
import { checkRefusal } from '../refusal.ts'
import { defineTarget, must } from '../target.ts'

const jsonText = edited(
  fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.constantFrom(
      '{"Container":"web","Force":true}',
      '{"Cmd":["a"],"Tty":false,"Memory":12345678901234567890,"Nano":1.50}',
      '[{"a":1}]',
    ),
  ),
  ['"Container"', '"container"', '"Container":"x",', '"__proto__":{"a":1},', '1.0', '-0', '1E400', '[[[[', '\\u0061', '\\ud800'],
  2,
)

function checkBody(request: ApiRequest, text: string): void {
  const read = readBody(request, text)
  if ('verdict' in read) {
    checkRefusal(read)
    return
  }
  must(read.body !== undefined, 'a body was read, and there is none')
  const member = 'member' in read.body
  must(member === (request.operation.body === 'member'), 'it is a body of another kind')
  if ('member' in read.body) {
    const { Container } = read.body.member as { readonly Container?: unknown }
    must(Container === read.container && typeof Container === 'string', 'the body names another container')
    return
  }
  must(JSON.stringify(JSON.parse(read.body.text)) === JSON.stringify(JSON.parse(text)), 'the body says something else')
  must(numbers(read.body.text).join() === numbers(text).join(), 'a number was written otherwise')
}

/** The numbers in a text of JSON, as they are written: each once, as a key with its value may be there twice, and in no order. */
const numbers = (text: string) => [...new Set(text.replace(/"(?:[^"\\]|\\.)*"/g, '""').match(/-?\d[\d.eE+-]*/g))].sort()

export const body = defineTarget(
  'a body that is taken goes out with the same meaning, to the last digit',
  5000,
  fc.record({
    operation: fc.constantFrom(...CATALOGUE.filter(({ body }) => body === 'json' || body === 'member')),
    text: jsonText,
  }),
  ({ operation, text }) =>
    checkBody({ operation, names: new Map(), query: new Map(), headers: new Map(), upgrade: false, announced: {} }, text),
)
