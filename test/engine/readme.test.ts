// README.md's commands for Docker, run as they stand, at ports that are free on this machine.
import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { freePort } from '../support/free-port.ts'
import { ON_ENGINE, readmeYaml } from '../support/readme.ts'
import { docker, waitFor } from './support/composition.ts'

const execute = promisify(execFile)

/** Services whose images are on this machine or are built here; the others would have to be pulled. */
async function runnableServices(): Promise<readonly string[]> {
  const config = ['compose', '-f', 'compose/compose.yaml', '--profile', '*', 'config', '--format', 'json']
  const { services } = JSON.parse(await docker(...config)) as {
    services: Record<string, { image: string; build?: unknown }>
  }
  const images = (await docker('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n')
  return Object.keys(services).filter(
    (name) => services[name]?.build !== undefined || images.includes(services[name]?.image ?? ''),
  )
}

await t.test('the README’s commands for Docker do what it says', { timeout: 580_000 }, async (t) => {
  const env: NodeJS.ProcessEnv = { ...process.env, CHECK_INTERVAL: '1' }
  for (const name of ['SAMPLE_APP_PORT', 'HEALER_PORT', 'PROMETHEUS_PORT', 'ALERTMANAGER_PORT', 'GRAFANA_PORT'])
    env[name] = String(await freePort())
  const run = (command: string) => execute('sh', ['-c', command], { env, maxBuffer: 16 * 1024 * 1024 })
  const healerLog = async () => (await docker('logs', 'postern-healer-1')).toString()
  const [up, follow, slack, dryRun, down] = ON_ENGINE
  t.teardown(() => run(`${down} --volumes --timeout 1`))

  const services = await runnableServices()
  t.ok(services.includes('prometheus') && services.includes('sample-app'))
  const all = spawn('sh', ['-c', `exec ${up} ${services.join(' ')}`], { env, stdio: 'ignore' })
  t.teardown(() => all.kill('SIGTERM'))
  await waitFor('the sample app to be watched', async () => (await healerLog()).includes('sample-app — healthy'))
  const app = `http://localhost:${env.SAMPLE_APP_PORT}`
  t.equal((await fetch(`${app}/health`)).status, 200)
  await fetch(`${app}/break`, { method: 'POST' })

  const log = spawn('sh', ['-c', `exec ${follow}`], { env, stdio: ['ignore', 'pipe', 'ignore'] })
  t.teardown(() => log.kill('SIGTERM'))
  let text = ''
  log.stdout.on('data', (chunk) => {
    text += chunk
  })
  await waitFor('the log to tell of the recovery', async () => text.includes('sample-app — recovered'))
  for (const words of ['(1/3)', '(2/3)', '(3/3)', 'RESTARTING sample-app', 'Successfully restarted: sample-app'])
    t.ok(text.includes(words), words)

  await run(slack)
  await waitFor(
    'a healer that has a webhook',
    async () =>
      !(await healerLog()).includes('nobody is told of anything') && (await healerLog()).includes('Health monitor started'),
  )
  await run(dryRun)
  await waitFor('a healer in a dry run', async () => (await healerLog()).includes('DRY RUN: nothing is restarted'))
  await run(down)
  t.equal((await docker('ps', '--quiet', '--filter', 'label=com.docker.compose.project=postern')).trim(), '')
})

await t.test('the README’s compose snippet is one, beside a checkout of this repository', async (t) => {
  for (const snippet of readmeYaml) {
    const { stdout } = await execute('sh', ['-c', 'printf "%s" "$SNIPPET" | docker compose -f - config --no-consistency'], {
      env: { ...process.env, SNIPPET: snippet.replace('../postern', process.cwd()) },
    })
    t.match(stdout, /monitored: "true"/)
  }
})
