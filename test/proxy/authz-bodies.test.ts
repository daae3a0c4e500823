// Bodies, of which an authorization plugin sees only what the Engine passes on: what is hidden from it is refused. CVE-2024-41110 was a body
// in chunks that was not passed on, CVE-2026-34040 one of more than 1 MiB.
import t from 'tap'
import type { PluginMessage } from '../../proxy/authz/plugin-message.ts'
import { checkBody } from '../../proxy/authz/read-plugin-request.ts'
import { type OperationId, operationOf } from '../../proxy/request/catalogue.ts'
import { startPlugin } from './support/start-plugin.ts'
import { WEB } from './support/start-proxy.ts'

const JSON_TYPE = { 'Content-Type': 'application/json' }
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }

await t.test('where the operation takes no body, any sign of one is a refusal', async (t) => {
  const plugin = await startPlugin(t)
  const stop = `POST /v1.45/containers/${WEB}/stop`
  const get = 'GET /v1.45/version'
  for (const [what, line, RequestHeaders, RequestBody, Allow] of [
    ['none, as docker sends it', stop, { 'Content-Length': '0', 'Content-Type': 'text/plain' }, undefined, true],
    ['none, as others send it', stop, { 'Content-Length': '0' }, undefined, true],
    ['JSON that is empty', stop, { 'Content-Length': '0', ...JSON_TYPE }, undefined, true],
    ['a length', stop, { 'Content-Length': '3' }, undefined, false],
    ['a length that is none', stop, { 'Content-Length': '-0' }, undefined, false],
    ['JSON that was passed on', stop, { 'Content-Length': '2', ...JSON_TYPE }, 'e30=', false],
    ['JSON in chunks, which was passed on', stop, JSON_TYPE, 'e30=', false],
    ['JSON in chunks, which was not', stop, JSON_TYPE, undefined, false],
    ['a form in chunks', stop, FORM, undefined, false],
    ['a form in chunks behind another type', stop, JSON_TYPE, undefined, false],
    ['a body in chunks of no type', stop, {}, undefined, false],
    ['an empty form', stop, { 'Content-Length': '0', ...FORM }, undefined, false],
    [
      'a form in another spelling',
      stop,
      { 'Content-Length': '0', 'Content-Type': 'Multipart/Form-Data; boundary=x' },
      undefined,
      false,
    ],
    ['chunks that are told of', stop, { 'Content-Length': '0', 'Transfer-Encoding': 'chunked' }, undefined, false],
    ['a read', get, {}, undefined, true],
    ['a read with a length', get, { 'Content-Length': '5' }, undefined, false],
    ['a read with JSON', get, JSON_TYPE, 'e30=', false],
  ] as const) {
    const { Allow: allowed, Msg = '' } = await plugin.ask(line, { RequestHeaders, ...(RequestBody ? { RequestBody } : {}) })
    t.equal(allowed, Allow, what)
    if (!Allow) t.match(Msg, /body|chunks|form/, what)
  }
  const rules = plugin.auditLines().map(({ rule }) => rule)
  t.same([...new Set(rules)].sort(), ['allow.ContainerStop', 'allow.SystemVersion', 'request.body'])
})

await t.test('the requests of the advisories are refused', async (t) => {
  const plugin = await startPlugin(t)
  for (const [what, headers] of [
    ['a length of 0, as with CVE-2024-41110', { 'Content-Length': '0', ...JSON_TYPE }],
    ['a body in chunks that is not passed on', JSON_TYPE],
    ['a body too large to be passed on, as with CVE-2026-34040', { 'Content-Length': '2097152', ...JSON_TYPE }],
  ] as const) {
    const { Allow, Msg } = await plugin.ask('POST /v1.45/containers/create?name=x', { RequestHeaders: headers })
    t.equal(Allow, false, what)
    t.match(Msg, 'ContainerCreate: the Engine has not passed its body on: it is empty, too large, or hidden', what)
  }
})

await t.test('where the operation takes JSON, the whole of it was passed on, or it is a refusal', (t) => {
  const body = Buffer.from('{"Image":"x"}')
  for (const [operation, headers, given, why] of [
    ['ContainerCreate', { 'content-type': 'application/json', 'content-length': '13' }, body, undefined],
    ['ContainerCreate', { 'content-type': 'application/json; charset=utf-8', 'content-length': '13' }, body, undefined],
    ['ContainerCreate', { 'content-type': 'application/json' }, body, undefined],
    ['ContainerCreate', { 'content-type': 'application/json', 'content-length': '14' }, body, /not as long as its header says/],
    ['ContainerCreate', { 'content-type': 'application/json', 'content-length': '0' }, undefined, /has not passed its body on/],
    ['ContainerCreate', { 'content-type': 'text/plain', 'content-length': '13' }, undefined, /no body to its plugin but JSON/],
    ['ContainerCreate', { 'content-length': '13' }, undefined, /no body to its plugin but JSON/],
    ['SystemAuth', { 'content-type': 'application/json', 'content-length': '13' }, undefined, /has not passed its body on/],
    [
      'ImageBuild',
      { 'content-type': 'application/x-tar', 'content-length': '1024' },
      undefined,
      /no body to its plugin but JSON/,
    ],
    ['ImageBuild', { 'content-type': 'application/json', 'content-length': '13' }, body, /no body to its plugin but JSON/],
  ] as const) {
    const message: PluginMessage = {
      method: 'POST',
      target: '/x',
      headers: new Map(Object.entries(headers)),
      ...(given ? { body: given } : {}),
    }
    const refusal = checkBody(operationOf(operation as OperationId), message)
    t.match(refusal?.reason, why, `${operation} ${JSON.stringify(headers)}`)
    t.equal(refusal?.rule, why === undefined ? undefined : 'request.body')
  }
  t.end()
})
