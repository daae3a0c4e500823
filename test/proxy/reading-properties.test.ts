// Properties of reading: it is total, and whatever it lets through holds only values of their own grammar.
import fc from 'fast-check'
import t from 'tap'
import { renderAuditLine } from '../../proxy/audit/audit-line.ts'
import { readRequest } from '../../proxy/request/read-request.ts'
import { fuzzBriefly } from '../fuzz/target.ts'
import { body } from '../fuzz/targets/body.ts'
import { reader } from '../fuzz/targets/reader.ts'

/** Pieces that requests are made of, right and wrong, so that chance comes near the edges. */
const piece = fc.constantFrom(
  ...['/', '//', '..', '.', '%', '%2f', '%00', '\\', '?', '&', '=', '#', '+', ';', '\0', '\r\n', 'é', '\ud800'],
  ...[
    'containers',
    'json',
    'restart',
    '_ping',
    'version',
    'web',
    'v1.45',
    'v1.99',
    'v1',
    'all',
    't',
    'filters',
    '1',
    '-1',
    'true',
  ],
  ...['%7B%22label%22:%5B%22a%22%5D%7D', '{"label":["a"]}', '__proto__', 'constructor', 'a'.repeat(300)],
)
const target = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  fc.array(piece, { maxLength: 6 }).map((pieces) => `/containers/json?filters=${pieces.join('')}`),
  fc.array(piece, { maxLength: 6 }).map((pieces) => `/v1.45/containers/${pieces.join('')}/restart?t=${pieces.length}`),
  fc.record({ name: fc.string(), t: fc.integer() }).map(({ name, t }) => `/containers/${name}/restart?t=${t}`),
  fc.jsonValue().map((value) => `/containers/json?all=0&filters=${encodeURIComponent(JSON.stringify(value))}`),
)
const method = fc.oneof(fc.constantFrom('GET', 'POST', 'HEAD', 'PUT', 'DELETE', 'get'), fc.string())

fuzzBriefly(t, 'reader', reader)
fuzzBriefly(t, 'body', body)

t.test('one character more or less in a path is another path', async (t) => {
  const [good, method] = ['/v1.45/containers/web/restart', 'POST']
  const edit = fc.tuple(fc.nat({ max: good.length }), fc.string({ unit: 'binary', minLength: 1, maxLength: 2 }))
  fc.assert(
    fc.property(edit, ([at, inserted]) => {
      const target = good.slice(0, at) + inserted + good.slice(at)
      const request = readRequest({ method, target, rawHeaders: [] })
      if ('verdict' in request) return true
      // The one thing that may vary is the name; then it is the name that was written.
      return `/v${request.version}/containers/${request.container}/restart` === target.replace(/\?$/, '')
    }),
  )
  t.notMatch(readRequest({ method, target: good, rawHeaders: [] }), { verdict: 'deny' })
})

t.test('a line of the audit log is one line of ASCII, bounded, whatever a client sends', async () => {
  fc.assert(
    fc.property(method, target, fc.string({ unit: 'binary', maxLength: 2000 }), (method, target, reason) => {
      const line = renderAuditLine(
        { v: 1, time: '2024-06-01T12:00:00.000Z', seq: 7, prev: '0'.repeat(64) },
        {
          event: 'decision',
          client: 'healer',
          policy: 'ab',
          method,
          path: target.repeat(50),
          verdict: 'deny',
          rule: 'x',
          reason,
        },
      )
      const parsed: unknown = JSON.parse(line)
      return /^[\x20-\x7e]+$/.test(line) && line.length < 16_384 && typeof parsed === 'object'
    }),
    { numRuns: 5000 },
  )
})
