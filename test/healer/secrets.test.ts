// Secrets, looked for everywhere: what the program writes, serves and keeps, while receivers repeat all that they are sent, and where settings are
// wrong.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePort } from '../support/free-port.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { startServer } from './support/bench.ts'
import { serveDocker } from './support/docker-api.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeDocker } from './support/fake-docker.ts'
import { startHealer } from './support/program.ts'

const secretOf = (what: string) => `${what}S3cr3t0123456789abcdef`.padEnd(32, '0').slice(0, 32)
const SECRETS = {
  slack: secretOf('slack'),
  pager: secretOf('pager'),
  hook: secretOf('hook'),
  signing: secretOf('signing'),
  password: secretOf('password'),
  header: secretOf('header'),
  token: secretOf('token'),
}

/** A receiver that takes nothing and repeats in its answer all that it was sent. */
async function startEcho(t: Test): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const said = [request.url, JSON.stringify(request.headers), Buffer.concat(chunks)].join(' ')
      response.writeHead(chunks.length % 2 === 0 ? 500 : 400).end(said)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function lookFor(t: Test, where: string, text: string) {
  t.ok(text.length > 0, `there is something in ${where}`)
  for (const [name, secret] of Object.entries(SECRETS)) {
    t.notOk(text.includes(secret), `${name} is not in ${where}`)
    t.notOk(text.includes(Buffer.from(secret).toString('base64').slice(4, -4)), `${name} is not in ${where} as base64`)
  }
}

await t.test('no secret is written, served or kept', { timeout: 580_000 }, async (t) => {
  const docker = createFakeDocker(createFakeClock())
  const { socketPath } = await serveDocker(t, () => docker)
  const app = await startServer(t)
  app.status(503)
  const labels = { monitored: 'true', 'healer.arm': 'immediately', 'healer.retries': '1', 'healer.start_period': '0s' }
  docker.add('web', app.port, { summary: { labels } })
  const echo = await startEcho(t)
  const directory = temporaryDirectory(t)
  const alerts = join(directory, 'alerts.yaml')
  const signing = join(directory, 'signing')
  writeFileSync(signing, `${SECRETS.signing}\n`)
  writeFileSync(
    alerts,
    `receivers:
  - pagerduty: { routing_key: ${SECRETS.pager}, url: "${echo}/v2/enqueue" }
  - alertmanager: { url: "${echo}/am", username: me, password: ${SECRETS.password} }
  - webhook: { url: "${echo}/${SECRETS.hook}", secret_file: ${signing}, headers: { X-Token: ${SECRETS.header} } }
`,
  )
  const port = await freePort()
  const env = {
    ...{ DOCKER_HOST: `unix://${socketPath}`, STATE_DIR: directory, CHECK_INTERVAL: '1', ALERTS_FILE: alerts },
    ...{
      SLACK_WEBHOOK_URL: `${echo}/services/${SECRETS.slack}`,
      HEALER_TOKEN: SECRETS.token,
      HEALER_PORT: `${port}`,
      HEALER_HOST: '127.0.0.1',
    },
  }
  const healer = startHealer(t, ['run'], env)
  for (const name of ['slack', 'pagerduty', 'alertmanager', 'webhook']) await healer.said(`${name} will never take this`)
  for (const path of ['/', '/api/containers', '/api/incidents', '/api/proxy', '/metrics'])
    lookFor(t, path, await (await fetch(`http://127.0.0.1:${port}${path}`)).text())
  for (const [command, code] of [
    ['check', 0],
    ['test-alert', 1],
  ] as const) {
    const { ended, output } = startHealer(t, [command], env)
    t.same((await ended)[0], code, output.text)
    lookFor(t, command, output.text)
  }
  healer.child.kill('SIGTERM')
  await healer.ended
  lookFor(t, 'the log', healer.output.text)
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.json')))
    lookFor(t, file, readFileSync(join(directory, file), 'utf8'))
})

await t.test('no secret is in what is said of a wrong setting', async (t) => {
  const directory = temporaryDirectory(t)
  const alerts = join(directory, 'alerts.yaml')
  writeFileSync(
    alerts,
    `receivers:\n  - slack: { webhook_url: "ftp://${SECRETS.slack}" }\n  - pagerduty: { routing_kez: ${SECRETS.pager} }\n  - ${SECRETS.hook}: {}\n`,
  )
  for (const env of [
    { SLACK_WEBHOOK_URL: `nonsense ${SECRETS.slack}` },
    { PAGERDUTY_ROUTING_KEY: `${SECRETS.pager}!` },
    { HEALER_TOKEN: `${SECRETS.token} with a space` },
    { WEBHOOK_SECRET: SECRETS.signing, WEBHOOK_SECRET_FILE: '/nowhere' },
    { ALERTS_FILE: alerts },
  ]) {
    const { ended, output } = startHealer(t, ['run'], { ...env, STATE_DIR: directory })
    t.same((await ended)[0], 2, output.text)
    // What stands where a name belongs is quoted, so that it can be found.
    lookFor(t, JSON.stringify(Object.keys(env)), output.text.replaceAll(`“${SECRETS.hook}”`, ''))
  }
})
