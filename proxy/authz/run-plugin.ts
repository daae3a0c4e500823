// Brings the parts of the plugin together and runs them until a signal asks to stop. The Engine needs not be there: it waits for its plugin.
import { performance } from 'node:perf_hooks'
import { connectEngine } from '../engine/engine.ts'
import { ownContainerId } from '../engine/own-container.ts'
import { budgetsLeft } from '../policy/budget.ts'
import type { Policy } from '../policy/policy.ts'
import type { BoundedServer } from '../serve/bounded-server.ts'
import { createChanges } from '../serve/changes.ts'
import { listen } from '../serve/listen.ts'
import { createMetricsServer } from '../serve/metrics-server.ts'
import { watchPolicies } from '../serve/reload.ts'
import { closeWithin, lifecycle, openRecord, type RunOptions, STOP_TIMEOUT_MS, stopSignal } from '../serve/serve.ts'
import { createPlugin } from './create-plugin.ts'
import { loadPluginPolicy } from './load-plugin-policy.ts'
import { createOwnRequests } from './own-requests.ts'

export type PluginOptions = RunOptions & {
  /** As `loadPluginPolicy` gives it. */
  readonly policy: Policy
  readonly policyFile: string
  readonly socketPath: string
}

/** Answers the Engine until SIGTERM or SIGINT, then resolves once all is closed. Rejects if it cannot start. */
export async function runPlugin(options: PluginOptions): Promise<void> {
  const { policyFile, socketPath, metricsSocket, engineSocket, log, now } = options
  // The socket and the log are for their owner and their group; the Engine is root.
  process.umask(0o117)
  const stopped = stopSignal()
  const record = await openRecord({ ...options, clients: [options] })
  const { audit, ledger, metrics } = record
  const own = createOwnRequests()
  const connect = () => connectEngine(engineSocket, undefined, own.headers)
  const [engine, engineForHealth] = [connect(), connect()]

  const socketPaths = [socketPath, ...(metricsSocket === undefined ? [] : [metricsSocket])]
  const known = { ownId: ownContainerId(), socketPaths, monotonic: () => performance.now(), changes: createChanges() }
  const plugin = createPlugin(options.policy, { ...record, ...known, own, engine, log, now })
  const policies = () => [plugin.policy()]
  metrics.showState(() => ({
    policies: policies(),
    budgets: policies().flatMap((policy) => budgetsLeft(policy, ledger.charges, now())),
    auditHead: audit.head(),
    observes: false,
  }))
  await audit.append(lifecycle('start', policies())).catch(record.cannotWrite)

  const servers: BoundedServer[] = [plugin]
  await listen(plugin.server, socketPath)
  const { client, hash, allow } = options.policy
  metrics.reloaded(client, 'success')
  log.info(
    { client, policy: hash, operations: [...allow.keys()] },
    `judging by ${policyFile} what the Engine asks at unix://${socketPath}`,
  )
  if (metricsSocket !== undefined) {
    const server = createMetricsServer(engineForHealth, metrics)
    await listen(server.server, metricsSocket)
    servers.push(server)
  }
  const onChange = () => ledger.follow(policies())
  const watch = watchPolicies([{ ...record, log, onChange, served: plugin, file: policyFile, load: loadPluginPolicy }])
  process.on('SIGHUP', watch.reload)

  log.info(`${await stopped}: stopping`)
  watch.stop()
  await Promise.all(servers.map((each) => closeWithin(each, STOP_TIMEOUT_MS)))
  await Promise.all([engine, engineForHealth].map((each) => each.close()))
  await Promise.all(servers.map(({ settled }) => settled()))
  await audit.close(lifecycle('stop', policies()))
  log.info('stopped')
}
