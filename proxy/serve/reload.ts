// Reads a client's policy anew when it is asked to, or when its file changes; the old one stays where the new one has anything wrong.
import type { Logger } from 'pino'
import type { AuditLog } from '../audit/audit-log.ts'
import { loadPolicy } from '../policy/load-policy.ts'
import type { Policy } from '../policy/policy.ts'
import { PolicyFileError } from '../policy/policy-error.ts'
import type { ProxyMetrics } from './metrics.ts'
import type { ServedClient } from './served-client.ts'
import { watchFiles } from './watch-files.ts'

export type Reloading = {
  readonly file: string
  readonly served: Pick<ServedClient, 'policy' | 'govern'>
  readonly audit: Pick<AuditLog, 'append'>
  readonly metrics: ProxyMetrics
  readonly log: Logger
  /** Hears of a new policy before it judges a request. */
  readonly onChange: () => void
  /** How it is read; throws `PolicyFileError`. */
  readonly load?: (file: string) => Promise<Policy>
}

/** Resolves once the policy in `file` is in force, or it is said in log and metric why not. */
export async function reloadPolicy({ file, served, audit, metrics, log, onChange, load = loadPolicy }: Reloading): Promise<void> {
  const { client, hash: before } = served.policy()
  const policy = await load(file).catch((error: unknown) => {
    if (!(error instanceof PolicyFileError)) throw error
    return error
  })
  const isOther = !(policy instanceof Error) && policy.client !== client
  if (policy instanceof Error || isOther) {
    const why =
      policy instanceof Error ? policy.message : `${file}: its client is “${policy.client}” now; start the proxy anew for that`
    metrics.reloaded(client, 'failure')
    return log.error({ client, policy: before }, `the policy stays as it was: ${why}`)
  }
  metrics.reloaded(client, 'success')
  if (policy.hash === before) return log.info({ client, policy: before }, `${file} has not changed`)
  served.govern(policy)
  onChange()
  log.info({ client, policy: policy.hash, before }, `${client} is under ${file} as it is now`)
  try {
    await audit.append({ event: 'reload', client, policy: policy.hash, before })
  } catch (error) {
    metrics.auditFailed()
    log.error({ err: error }, 'the audit log cannot be written; that the policy changed is recorded once it can be')
  }
}

/** A file that is being written is let finish. */
const LET_SETTLE_MS = 200

export type Watch = {
  /** Reads all policies anew. */
  readonly reload: () => void
  readonly stop: () => void
}

/** Reads a policy anew when its file changes, and all when asked to; one after the other. */
export function watchPolicies(all: readonly Reloading[]): Watch {
  const turns = new Map<Reloading, Promise<void>>()
  const reloadOne = (each: Reloading): void => {
    const failed = (error: unknown) => each.log.error({ err: error }, 'a policy could not be read anew')
    turns.set(each, (turns.get(each) ?? Promise.resolve()).then(() => reloadPolicy(each)).catch(failed))
  }
  const watchers = all.map((each) => watchFiles([each.file], LET_SETTLE_MS, () => reloadOne(each)))
  return {
    reload() {
      for (const each of all) reloadOne(each)
    },
    stop() {
      for (const stop of watchers) stop()
    },
  }
}
