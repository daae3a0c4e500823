// What a healer that was taken over would send, class by class, as raw bytes: requests of which the shipped policy lets none through.
// docs/threat-model.md has the classes by these names. What arrives for far more of each, test/proxy/attacks.test.ts says.
import { CATALOGUE, type Operation } from '../../../proxy/request/catalogue.ts'
import { healerPolicy } from '../../proxy/support/policies.ts'
import { plainRequest } from '../../proxy/support/raw-client.ts'

/** Containers by name: one that opted in and runs, one that was stopped by hand, one that did not opt in; and the proxy. */
export type Prey = { readonly seen: string; readonly stopped: string; readonly hidden: string; readonly proxy: string }

/** Whatever is made by an attack that gets through has this name, so that the Engine tells of it. */
export const MADE = 'hostile-made'

/** Root on the host, in one body. */
const ESCAPE = JSON.stringify({
  Image: 'node:24-bookworm-slim',
  Cmd: ['sleep', '60'],
  Entrypoint: ['sh'],
  name: MADE,
  Name: MADE,
  Container: 'hostile-hidden',
  AttachStdin: true,
  Tty: true,
  Privileged: true,
  HostConfig: { Binds: ['/:/host'], Privileged: true, PidMode: 'host' },
})

/** A request for `operation`, about `container`, as one that meant it would write it. */
function requestFor({ id, method, path }: Operation, container: string): string {
  const target = path
    .join('/')
    .replace('{container}', container)
    .replace(/\{[a-z]+\}/g, MADE)
  const query = ['ContainerCreate', 'ImageCreate', 'ImageTag', 'ImageCommit'].includes(id)
    ? `?name=${MADE}&fromImage=node&repo=${MADE}&tag=24-bookworm-slim&container=${container}`
    : ''
  return `${method} /${target}${query}`
}

const withBody = (line: string, type: string, body: string) =>
  `${plainRequest(line, [`Content-Type: ${type}`, `Content-Length: ${body.length}`])}${body}`
const upgraded = (line: string, protocol: string) => plainRequest(line, ['Connection: Upgrade', `Upgrade: ${protocol}`])
const split = (text: string) => text.trim().split(/\s*\n\s*/)
const plainly = (lines: readonly string[]) => lines.map((line) => plainRequest(line))

/** Each operation that the policy does not name, of each container: as it is, with a body that means harm, and for the connection itself. */
export function everyOperation({ seen, hidden, proxy }: Prey): readonly string[] {
  const allowed = healerPolicy().allow
  return CATALOGUE.filter(({ id }) => !allowed.has(id)).flatMap((operation) => {
    const containers = operation.path.includes('{container}') ? [seen, hidden, proxy] : [seen]
    return containers.flatMap((container) => {
      const line = requestFor(operation, container)
      // An answer to a HEAD has no end but its connection's.
      if (operation.method === 'HEAD') return [plainRequest(line, ['Connection: close'])]
      return [plainRequest(line), withBody(line.replace(' /', ' /v1.45/'), 'application/json', ESCAPE), upgraded(line, 'tcp')]
    })
  })
}

/** `%61` for `a`. */
const encoded = (letter: string) => `%${letter.charCodeAt(0).toString(16)}`

/** By class; of each the answer is a refusal or none. */
export function hostileRequests({ seen, stopped, hidden, proxy }: Prey) {
  const restart = `POST /containers/${seen}/restart`
  const smuggled = plainRequest(`POST /containers/${hidden}/restart`) + plainRequest(`POST /containers/${seen}/stop`)
  const head = (...headers: readonly string[]) => plainRequest(restart, headers)
  const filtered = (json: string) => `GET /containers/json?filters=${encodeURIComponent(json)}`
  return {
    'a read that is not harmless': plainly(
      split(`GET /containers/${seen}/attach/ws?stdin=1&stream=1
        GET /containers/${seen}/archive?path=/etc
        GET /containers/${seen}/export
        GET /containers/${seen}/logs?stdout=1&follow=1
        GET /containers/${seen}/top?ps_args=eww
        GET /events
        GET /info
        GET /secrets
        GET /images/get?names=node`),
    ),
    'half-anchored or method-blind rules': plainly(
      split(`PUT /containers/${seen}/restart/archive
        DELETE /containers/${seen}/restart
        PUT /containers/${seen}/restart
        POST /containers/json
        DELETE /containers/${seen}/json
        POST /containers/${seen}/restart/exec
        GET /containers/${seen}/json/../archive`),
    ),
    'names that route elsewhere': plainly(
      split(`GET /containers/${seen}/${hidden}/archive
        GET /containers/${seen}/..%2f${hidden}/json
        POST /containers/../containers/${hidden}/restart
        POST /containers/${seen}@${hidden}/restart
        POST /containers//${hidden}/restart
        GET /images/${seen}/../../containers/${hidden}/json
        GET /containers/.*/json`),
    ),
    encodings: plainly([
      `POST /containers/${encoded('h')}${hidden.slice(1)}/restart`,
      `POST /containers/${seen}%2frestart`,
      `POST /containers/${seen}/%72estart`,
      `GET /containers/%2e%2e/containers/${hidden}/json`,
      `POST /containers/${seen}%00/restart`,
      `POST /containers/${seen}/restar\xd4`,
    ]),
    'odd paths': plainly(
      ['//', '/./', '/x/../', '/;x/', '\\']
        .map((odd) => `POST ${odd}containers/${seen}/restart`)
        .concat(`${restart}/`, `${restart};x`, `${restart}#x`),
    ),
    versions: plainly(
      ['v1', 'v1.44.', 'v01.44', 'v9.99', 'v1.23', 'V1.44', 'v1.44/v1.44'].map(
        (version) => `POST /${version}/containers/${seen}/restart`,
      ),
    ),
    'request targets': plainly([
      `POST http://docker/containers/${seen}/restart`,
      `POST unix:///var/run/docker.sock/containers/${seen}/restart`,
      'CONNECT docker:2375',
      'OPTIONS *',
      `POST *`,
    ]),
    query: plainly(
      ['t=1&t=2', 'T=1', 'signal=SIGKILL', 't=61', 't=-1', 't=+1', 't=1%00', 't=1;signal=SIGKILL', 't=0x1', '&t=1', 'x'].map(
        (query) => `${restart}?${query}`,
      ),
    ),
    'body before query': [
      withBody(`${restart}?t=1`, 'application/x-www-form-urlencoded', 't=600'),
      withBody(restart, 'application/json', '{"t":600,"signal":"SIGKILL"}'),
      `${head('Transfer-Encoding: chunked')}5\r\nt=600\r\n0\r\n\r\n`,
    ],
    'JSON keys': plainly(
      [
        '{"Label":["monitored"]}',
        '{"\u017ftatus":["running"]}',
        '{"label":["monitored"],"label":["PASSWORD"]}',
        '{"__proto__":["x"]}',
        '{"label":{"__proto__":true}}',
        '{"label":"monitored"}',
        '[]',
      ].map(filtered),
    ),
    framing: [
      `${head('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n${smuggled}`,
      `${head('Content-Length: 0', `Content-Length: ${smuggled.length}`)}${smuggled}`,
      `${head(`Content-Length: ${smuggled.length}`)}${smuggled}`,
      `${head('Transfer-Encoding: chunked')}1;x="\r\n\r\n"\r\nt\r\n0\r\n\r\n${smuggled}`,
      `${head('Content-Length : 3')}abc`,
      head(' folded'),
      head('X-A: a\rContent-Length: 3'),
      `POST /containers/${hidden}/stop HTTP/1.1\nHost: docker\n\n${smuggled}`,
      `${plainRequest(`POST /containers/${hidden}/restart`)}${smuggled}`,
    ],
    upgrades: [
      upgraded(restart, 'tcp'),
      upgraded('GET /containers/json', 'h2c') + smuggled,
      upgraded('POST /session', 'h2c'),
      upgraded('POST /grpc', 'h2c'),
      upgraded(`POST /containers/${seen}/attach?stream=1&stdin=1`, 'tcp') + smuggled,
      `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${smuggled}`,
    ],
    headers: [
      head('Host: other'),
      head('Connection: close, authorization'),
      head('Origin: http://localhost:8081'),
      head('Sec-Fetch-Site: none'),
      head('Expect: 100-continue', 'Content-Length: 3'),
      `${restart} HTTP/1.1\r\n\r\n`,
      plainRequest('POST /images/create?fromImage=node', [`X-Registry-Auth: ${Buffer.from('{}').toString('base64')}`]),
    ],
    'sizes and time': [
      head(`X-A: ${'a'.repeat(20_000)}`),
      head(...Array.from({ length: 1900 }, () => 'X-A: aaaaaaaa')),
      plainRequest(`POST /containers/${'a'.repeat(20_000)}/restart`),
      plainRequest(`${restart}?${'t=1&'.repeat(1000)}t=1`),
      `${head('Content-Length: 1000000000')}a`,
    ],
    oracles: plainly(
      split(`GET /containers/json?limit=1
        GET /containers/json?before=${hidden}
        GET /containers/json?size=1`).concat(
        [
          '{"name":["hostile"]}',
          '{"id":["a"]}',
          '{"volume":["postern_sockets"]}',
          '{"ancestor":["node"]}',
          '{"label":["PASSWORD"]}',
        ].map(filtered),
      ),
    ),
    leaks: plainly([hidden, proxy].flatMap((name) => [`GET /containers/${name}/json`, `POST /containers/${name}/restart`])),
    'log forging': [
      ...plainly([
        `GET /x\xe2\x80\xa8{"v":1,"verdict":"allow"}`,
        `GET /x\x9b2J\x85`,
        `GET /x"},{"verdict":"allow`,
        `GET /${'x'.repeat(15_000)}`,
        `${restart}?signal=%0a%7b%22verdict%22%3a%22allow%22%7d`,
      ]),
      '\x1b[2J{"v":1,"seq":1,"event":"decision","verdict":"allow"}\n\r\n\r\n',
    ],
    'the healer turned hostile': plainly(
      [stopped, proxy, hidden, 'hostile-insider'].flatMap((name) => [
        `POST /containers/${name}/restart`,
        `POST /containers/${name}/kill`,
      ]),
    ),
  } satisfies Readonly<Record<string, readonly string[]>>
}
