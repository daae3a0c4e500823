#!/usr/bin/env node
// The command line of postern-healer. Reads the environment, and nothing else does.
import { isIPv6 } from 'node:net'
import { Argument, Command } from 'commander'
import { request } from 'undici'
import { deliver } from './alert/deliver.ts'
import { loadReceivers } from './alert/load-receivers.ts'
import { renderTested, TESTED_VERDICTS, testReceivers } from './alert/test-alert.ts'
import { check } from './check/check.ts'
import { explainEnvironment } from './check/explain-settings.ts'
import { CHECK_VERDICTS, renderCheck } from './check/render.ts'
import { connectDocker } from './docker/dockerode.ts'
import { readComposeFile } from './export/compose-file.ts'
import { exportServices } from './export/kubernetes.ts'
import { renderManifests, summarise } from './export/render.ts'
import { listServices } from './export/running-services.ts'
import { systemClock } from './loop/clock.ts'
import { readOwnCidrs } from './loop/healer.ts'
import { runProbe } from './probe/probes.ts'
import { run } from './run.ts'
import { EnvironmentError, readEnvironment } from './settings/environment.ts'
import { createLog, paintVerdicts } from './terminal.ts'

/** Exit codes: 1, something failed while running, or `check` found something wrong; 2, the command line or the environment is wrong. */
const EXIT_FAILED = 1
const EXIT_USAGE = 2

const program = new Command('postern-healer')
  .description('Probes containers that opted in, restarts what is ill through the proxy, and verifies that it recovered.')
  .version('0.1.0', '-V, --version', 'print the version')
  .addHelpText('afterAll', '\nIts settings are environment variables and container labels; docs/healer.md\nlists them all.')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))

program
  .command('run')
  .description('watch and heal until SIGTERM or SIGINT')
  .action(async () => {
    const environment = readEnvironment(process.env)
    await run(environment, createLog(environment.logFormat))
    // What has not finished within the bound is left: the Engine finishes a restart that is under way.
    setTimeout(() => process.exit(0), 500).unref()
  })

program
  .command('check')
  .description('say which containers opted in, how each is probed and what is wrong, and probe each once')
  .option('--no-probe', 'probe nothing')
  .option('--json', 'print JSON, for programs')
  .action(async ({ probe, json }: { readonly probe: boolean; readonly json?: true }) => {
    const environment = readEnvironment(process.env)
    const report = await check({
      docker: connectDocker(environment.dockerHost, complain),
      environment,
      settings: explainEnvironment(process.env),
      receivers: loadReceivers(environment.alerting),
      own: readOwnCidrs(),
      monotonicMs: systemClock.monotonicMs,
      runProbe: probe ? runProbe : undefined,
    })
    process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : paintVerdicts(renderCheck(report), CHECK_VERDICTS))
    process.exitCode = report.ok ? 0 : EXIT_FAILED
  })

program
  .command('export')
  .description('print the probes of what opted in as manifests, and on stderr what came of each')
  .addArgument(new Argument('<format>', 'what they are for').choices(['kubernetes']))
  .argument('[file]', 'a compose file, such as `docker compose config` prints, or - for stdin; without it, what Docker runs')
  .action(async (_format: string, file: string | undefined) => {
    const environment = readEnvironment(process.env)
    const services =
      file === undefined ? await listServices(connectDocker(environment.dockerHost, complain)) : await readComposeFile(file)
    if (services.length === 0) throw new Error('nothing opted in; label it monitored=true')
    const exported = exportServices(services, environment)
    process.stdout.write(renderManifests(exported))
    process.stderr.write(`${summarise(exported)}\n`)
  })

program
  .command('test-alert')
  .description('send one alert to each receiver, and its end, and say what each answered')
  .option('--json', 'print JSON, for programs')
  .action(async ({ json }: { readonly json?: true }) => {
    const receivers = loadReceivers(readEnvironment(process.env).alerting)
    const tested = await testReceivers(receivers, deliver, systemClock.wallMs())
    process.stdout.write(json ? `${JSON.stringify(tested, null, 2)}\n` : paintVerdicts(renderTested(tested), TESTED_VERDICTS))
    process.exitCode = tested.length > 0 && tested.every(({ outcome }) => outcome === 'delivered') ? 0 : EXIT_FAILED
  })

program
  .command('healthcheck')
  .description('exit 0 if the running healer’s loop is alive')
  .action(async () => {
    const { port, host = '127.0.0.1' } = readEnvironment(process.env)
    const address = isIPv6(host) ? `[${host}]` : host
    const { statusCode, body } = await request(`http://${address}:${port}/healthz`, { signal: AbortSignal.timeout(5000) })
    const text = (await body.text()).trim()
    if (statusCode !== 200) throw new Error(text)
    process.stdout.write(`${text}\n`)
  })

function complain(message: string): void {
  for (const line of message.split('\n')) process.stderr.write(`postern-healer: ${line}\n`)
}

program.parseAsync().catch((error: unknown) => {
  complain((error as Error).message)
  process.exit(error instanceof EnvironmentError ? EXIT_USAGE : EXIT_FAILED)
})
