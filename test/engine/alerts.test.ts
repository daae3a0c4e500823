// Telling people, on a real Engine: a webhook that is ill itself, a healer that is killed meanwhile, and the real Alertmanager.
import { createHmac } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { bringUp, docker, imageOf, waitFor } from './support/composition.ts'

const SECRET = 'a-secret-for-this-test-alone'
type Told = {
  readonly id: string
  readonly incident: string
  readonly container: string
  readonly event: string
  readonly resolved: boolean
}
type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A webhook on every address of this machine, which answers as `answer` says and keeps what it took. */
async function startWebhook(t: Test) {
  const webhook = { port: 0, taken: [] as Told[], tries: 0, answer: ((_request, response) => response.end('ok')) as Answer }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      webhook.tries += 1
      const body = Buffer.concat(chunks)
      const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`
      t.equal(request.headers['x-postern-signature-256'], signature, 'it is signed')
      response.once('finish', () => {
        if (response.statusCode === 200) webhook.taken.push(...JSON.parse(body.toString()).alerts)
      })
      webhook.answer(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve))
  webhook.port = (server.address() as AddressInfo).port
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return webhook
}

const ILL: Readonly<Record<string, Answer>> = {
  'answers 500': (_request, response) => response.writeHead(500).end('no'),
  'answers 429': (_request, response) => response.writeHead(429, { 'retry-after': '1' }).end(),
  'breaks off': (_request, response) => {
    response.writeHead(500, { 'content-length': '100' }).write('{')
    setTimeout(() => response.destroy(), 50)
  },
  'hangs up': (request) => request.socket.destroy(),
  'speaks no HTTP': (request) => request.socket.end('\u0000nonsense\r\n\r\n'),
  hangs: () => undefined,
}

await t.test('people are told', { timeout: 580_000 }, async (t) => {
  const webhook = await startWebhook(t)
  const directory = t.testdir({
    // One that is packaged with its templates apart asks for these; one that is not has no use for them.
    templates: { 'default.tmpl': '', 'email.tmpl': '' },
    'alertmanager.yml': 'route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n',
  })
  const mounted = (name: string, target: string) => ({ type: 'bind', source: join(directory, name), target, read_only: true })
  const services = {
    healer: {
      environment: {
        WEBHOOK_URL: `http://host.docker.internal:${webhook.port}/hook`,
        WEBHOOK_SECRET: SECRET,
        ALERTMANAGER_URL: 'http://alerts.test:9093',
        ALERT_COOLDOWN: '0',
      },
      extra_hosts: ['host.docker.internal:host-gateway'],
    },
    told: {
      image: imageOf('sample-app'),
      container_name: 'told',
      labels: { monitored: 'true', 'healer.path': '/health', 'healer.action': 'none' },
    },
    'test-alertmanager': {
      image: 'prom/alertmanager:v0.28.1',
      command: ['--config.file=/etc/alertmanager.yml', '--storage.path=/tmp', '--cluster.listen-address='],
      volumes: [mounted('alertmanager.yml', '/etc/alertmanager.yml'), mounted('templates', '/usr/share/prometheus/alertmanager')],
      tmpfs: ['/tmp'],
      networks: { default: { aliases: ['alerts.test'] } },
    },
  }
  const file = join(directory, 'override.yaml')
  writeFileSync(file, JSON.stringify({ services }))
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app', 'told', 'test-alertmanager'], {}, file)
  await stack.said('sample-app — healthy')
  await stack.said('told — healthy')

  await t.test('a webhook that is ill in every way, and a healer that is killed meanwhile: all is told, in order', async (t) => {
    const [first, ...others] = Object.values(ILL)
    if (first) webhook.answer = first
    await stack.app('POST', '/break')
    await stack.said('sample-app — recovered')
    await stack.said('webhook could not be told')
    for (const answer of others) {
      const { tries } = webhook
      webhook.answer = answer
      await waitFor('another try', async () => webhook.tries > tries)
    }
    const healer = (await stack.compose('ps', '-q', 'healer')).trim()
    await docker('kill', '--signal', 'KILL', healer)
    t.same(webhook.taken, [])
    webhook.answer = (_request, response) => response.end('ok')
    await docker('start', healer)
    await waitFor('both to be told', async () => webhook.taken.length >= 2)
    t.match(webhook.taken, [
      { container: 'sample-app', event: 'restarted', resolved: false },
      { container: 'sample-app', event: 'recovered', resolved: true },
    ])
    t.equal(new Set(webhook.taken.map(({ incident }) => incident)).size, 1)
  })

  await t.test('the real Alertmanager has one alert while a container is ill, and none once it is well', async (t) => {
    const active = async () => {
      const asked = `fetch('http://alerts.test:9093/api/v2/alerts').then((answer) => answer.text()).then((text) => process.stdout.write(text))`
      const text = await stack.compose('exec', '-T', 'healer', 'node', '-e', asked)
      return (
        JSON.parse(text) as { readonly labels: { readonly container: string }; readonly status: { readonly state: string } }[]
      ).filter(({ labels }) => labels.container === 'told')
    }
    const tell = (path: string) =>
      docker('exec', 'told', 'node', '-e', `fetch('http://127.0.0.1:8080${path}', { method: 'POST' })`)
    await tell('/break')
    await stack.said('told — not restarted (tell-only)')
    const firing = await waitFor('the alert', async () => {
      const found = await active()
      return found.length > 0 && found
    })
    t.match(firing, [
      {
        labels: { container: 'told' },
        annotations: { description: /failed 3 consecutive health checks and is not restarted \(tell-only\)/ },
      },
    ])
    await tell('/fix')
    await waitFor('its end', async () => (await active()).length === 0)
  })

  await t.test('no secret is in the log, the page, the metrics or the files', async (t) => {
    const base = `http://127.0.0.1:${stack.ports.healer}`
    const shown = await Promise.all(
      ['/', '/api/containers', '/api/incidents', '/metrics'].map(async (path) => (await fetch(base + path)).text()),
    )
    const files = await stack.compose(
      'exec',
      '-T',
      'healer',
      'node',
      '-e',
      `const fs = require('fs'); for (const file of fs.readdirSync('/var/lib/postern')) process.stdout.write(fs.readFileSync('/var/lib/postern/' + file))`,
    )
    for (const text of [...shown, files, await stack.logs('healer')]) {
      t.ok(text.length > 10)
      t.notMatch(text, SECRET)
    }
    t.match(shown[2], /"what":"restarted"/)
    t.match(shown[3], /^postern_healer_alerts_total\{receiver="webhook",outcome="delivered"\} \d/m)
  })
})
