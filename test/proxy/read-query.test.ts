// Query strings: which are read as which typed values, and that every odd spelling is refused rather than repaired.
import t from 'tap'
import { CATALOGUE } from '../../proxy/request/catalogue.ts'
import { readQuery } from '../../proxy/request/read-query.ts'

function read(operationId: string, raw: string) {
  const operation = CATALOGUE.find(({ id }) => id === operationId)
  if (!operation) throw new Error(`${operationId} is not in the catalogue`)
  return readQuery(raw, operation)
}

const filters = (value: unknown) => `filters=${encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value))}`

const SIXTY_FOUR = Array.from({ length: 64 }, (_, i) => `l${i}`)

const accepted: readonly (readonly [operation: string, raw: string, value: Record<string, unknown>])[] = [
  ['ContainerList', '', {}],
  ['ContainerList', 'all=1', { all: true }],
  ['ContainerList', 'all=true', { all: true }],
  ['ContainerList', 'all=0', { all: false }],
  ['ContainerList', 'all=false', { all: false }],
  ['ContainerList', 'all=%31', { all: true }],
  ['ContainerRestart', 'signal=SIG%54ERM&t=5', { signal: 'SIGTERM', t: 5 }],
  ['ContainerTop', 'ps_args=-e%20-f', { ps_args: '-e -f' }],
  ['ContainerRestart', 'signal=', { signal: '' }],
  ['ContainerRestart', 't=0', { t: 0 }],
  ['ContainerRestart', 't=10', { t: 10 }],
  ['ContainerRestart', 't=-1', { t: -1 }],
  ['ContainerRestart', 't=999999999', { t: 999999999 }],
  ['ContainerList', filters({ label: ['a=b', 'c'] }), { filters: { label: ['a=b', 'c'] } }],
  ['ContainerList', filters({ label: { 'a=b': true } }), { filters: { label: ['a=b'] } }],
  ['ContainerList', filters({}), { filters: {} }],
  // To the very bound.
  ['ContainerRestart', `signal=${'x'.repeat(1024)}`, { signal: 'x'.repeat(1024) }],
  ['ContainerArchive', `path=/${'x'.repeat(1023)}`, { path: `/${'x'.repeat(1023)}` }],
  ['ContainerArchive', 'path=/a..b/...', { path: '/a..b/...' }],
  ['ContainerRestart', 'signal=%C2%A0', { signal: '\u00a0' }],
  ['ContainerList', filters({ label: SIXTY_FOUR }), { filters: { label: SIXTY_FOUR } }],
  // As docker-autoheal has curl send it: JSON, unencoded.
  [
    'ContainerList',
    'filters={"health":["unhealthy"],"label":["autoheal=true"]}',
    { filters: { health: ['unhealthy'], label: ['autoheal=true'] } },
  ],
  // Go's reader might take the other; what goes on is written anew from what was read here.
  ['ContainerList', filters('{"label":["a"],"label":["b"]}'), { filters: { label: ['b'] } }],
  [
    'ContainerList',
    `${filters({ status: ['running'], health: [] })}&all=1`,
    { filters: { status: ['running'], health: [] }, all: true },
  ],
]

t.test('a query is read into values of the types that the operation says', async (t) => {
  for (const [operation, raw, value] of accepted) {
    const asked = read(operation, raw)
    if ('verdict' in asked) {
      t.fail(`${raw} is refused: ${asked.reason}`)
      continue
    }
    t.notOk('container' in asked, `${raw}: names no container`)
    const plain = [...asked.query].map(([key, given]) => [
      key,
      given.type === 'filters' ? Object.fromEntries(given.value) : given.value,
    ])
    t.same(Object.fromEntries(plain), value, raw)
  }
})

t.test('a container that is named is none of the values', async (t) => {
  t.strictSame(read('ImageCommit', 'container=web'), { query: new Map(), container: 'web' })
  const query = new Map([['repo', { type: 'text', value: 'a' }]])
  t.strictSame(read('ImageCommit', 'container=web&repo=a'), { query, container: 'web' })
})

const refused: readonly (readonly [operation: string, raw: string, why: RegExp])[] = [
  // keys
  ['ContainerList', 'all=1&all=1', /“all” is given twice/],
  ['ContainerRestart', 't=1&t=2', /“t” is given twice/],
  ['ImageCommit', 'container=web&container=db', /“container” is given twice/],
  ['ContainerList', 'limit=1', /takes all, size, filters, not “limit”/],
  ['ContainerList', 'before=web', /not “before”/],
  ['ContainerList', 'since=web', /not “since”/],
  ['ContainerRestart', 'detachKeys=x', /takes t, signal, not “detachKeys”/],
  ['SystemPing', 'x=1', /takes no query/],
  ['ContainerList', 'ALL=1', /not “ALL”/],
  ['ContainerRestart', 'T=1', /not “T”/],
  ['ContainerRestart', '%74=1', /not “%74”/],
  ['ContainerList', 'constructor=1', /not “constructor”/],
  ['ContainerList', '__proto__=1', /not “__proto__”/],
  ['ContainerList', `${'k'.repeat(64)}=1`, /not “k{64}”/],
  ['ContainerList', `${'k'.repeat(65)}=1`, /not “k{64}…”/],
  // shape
  ['ContainerList', 'all', /not key=value/],
  ['ContainerList', '=1', /not key=value/],
  ['ContainerList', '&', /not key=value/],
  ['ContainerList', 'all=1&', /not key=value/],
  ['ContainerList', '&all=1', /not key=value/],
  ['ContainerList', '?all=1', /not “\?all”/],
  ['ContainerRestart', 't=1;signal=9', /percent-encoded/],
  ['ContainerRestart', 't=1;signal', /whole number/],
  // encoding
  ['ContainerRestart', 't=+1', /percent-encoded/],
  ['ContainerRestart', 't=1%00', /percent-encoded/],
  ['ContainerRestart', 't=1%0a', /percent-encoded/],
  ['ContainerRestart', 't=1%7f', /percent-encoded/],
  ['ContainerRestart', 't=%', /percent-encoded/],
  ['ContainerRestart', 't=%3', /percent-encoded/],
  ['ContainerRestart', 't=%zz', /percent-encoded/],
  ['ContainerRestart', 't=1#2', /percent-encoded/],
  ['ContainerRestart', 't=1 2', /percent-encoded/],
  ['ContainerList', 'filters=%ff', /percent-encoded/],
  ['ContainerList', 'filters=%c0%af', /percent-encoded/],
  ['ContainerList', 'filters=%ed%a0%80', /percent-encoded/],
  ['ContainerList', 'filters={"label":["a b"]}', /percent-encoded/],
  ['ContainerList', 'filters={"label":["a\\u0062"]}', /percent-encoded/],
  ['ContainerList', 'filters={"label":["a+b"]}', /percent-encoded/],
  ['ContainerList', 'filters={"label":["ä"]}', /percent-encoded/],
  ['ContainerList', 'filters={"label":["a"]};all=1', /percent-encoded/],
  ['ContainerList', 'all=1=1', /percent-encoded/],
  ['ContainerRestart', 'signal=["a"]', /percent-encoded/],
  ['ContainerList', 'filters=%257B%257D', /JSON object/],
  // values
  ['ContainerList', 'all=', /takes true, false, 1 or 0/],
  ['ContainerList', 'all=yes', /takes true, false, 1 or 0/],
  ['ContainerList', 'all=True', /takes true, false, 1 or 0/],
  ['ContainerRestart', 't=', /whole number/],
  ['ContainerRestart', 't=01', /whole number/],
  ['ContainerRestart', 't=-0', /whole number/],
  ['ContainerRestart', 't=1.0', /whole number/],
  ['ContainerRestart', 't=1e1', /whole number/],
  ['ContainerRestart', 't=0x1', /whole number/],
  ['ContainerRestart', 't=%201', /whole number/],
  ['ContainerRestart', 't=%D9%A1', /whole number/],
  ['ContainerRestart', 't=1000000000', /whole number/],
  ['ContainerList', filters('[]'), /JSON object/],
  ['ContainerList', filters('null'), /JSON object/],
  ['ContainerList', filters('{"label":["a"]'), /JSON object/],
  ['ContainerList', filters({ before: ['web'] }), /takes the filters annotation, .*volume, not “before”/],
  ['ContainerList', filters({ since: ['web'] }), /not “since”/],
  ['ContainerRestart', `signal=${'x'.repeat(1025)}`, /takes at most 1024 characters/],
  ['ContainerArchive', `path=/${'x'.repeat(1024)}`, /takes at most 1024 characters/],
  ['ContainerArchive', 'path=/a/../b', /takes a path without `\.\.`/],
  ['ContainerArchive', 'path=..', /takes a path without `\.\.`/],
  ['ImageCommit', 'container=a/b', /takes the name or id of a container/],
  ['ContainerRestart', 'signal=a%0Ab', /percent-encoded/],
  ['ContainerList', filters({ Label: ['a'] }), /not “Label”/],
  ['ContainerList', filters({ ſtatus: ['running'] }), /not “ſtatus”/],
  ['ContainerList', filters('{"__proto__":["a"]}'), /not “__proto__”/],
  ['ContainerList', filters({ label: 'a' }), /list of texts/],
  ['ContainerList', filters({ label: [1] }), /list of texts/],
  ['ContainerList', filters({ label: [['a']] }), /list of texts/],
  ['ContainerList', filters({ label: { a: false } }), /list of texts/],
  ['ContainerList', filters({ label: null }), /list of texts/],
  ['ContainerList', filters({ label: Array.from({ length: 65 }, (_, i) => `l${i}`) }), /at most 64 values/],
]

t.test('an odd query is refused with what is wrong with it', async (t) => {
  for (const [operation, raw, why] of refused) {
    t.match(read(operation, raw), { verdict: 'deny', status: 400, rule: 'request.query', reason: why }, `${operation}?${raw}`)
  }
})

const hiddenControls = [
  '{"label":["a\\u0000b"]}',
  '{"label":["a\\nb"]}',
  '{"label":{"a\\u001b[2J":true}}',
  '{"label":["a\\u009b"]}',
]

t.test('a control character is refused in a filter’s value too, where JSON can spell it without one', async (t) => {
  for (const json of hiddenControls)
    t.match(
      read('ContainerList', filters(json)),
      { verdict: 'deny', reason: /takes no control characters in the values of “label”/ },
      json,
    )
})
