// Looks once at every container that opted in, as `run` would, and gathers what a person wants to know of it. Changes nothing.
import type { Receiver } from '../alert/receiver.ts'
import { type ContainerDetail, type ContainerSummary, type Docker, DockerError } from '../docker/docker.ts'
import type { Surroundings } from '../probe/address.ts'
import { chooseProbe } from '../probe/choose.ts'
import { describeProbe, type Probe } from '../probe/probes.ts'
import type { ProbeResult } from '../probe/result.ts'
import type { Environment } from '../settings/environment.ts'
import { optedIn, readLabels } from '../settings/labels.ts'
import { type Explained, explainLabels } from './explain-settings.ts'

export type CheckedContainer = {
  readonly name: string
  /** The label that opted it in. */
  readonly optedIn: 'monitored' | 'autoheal'
  /** As the Engine says: `running`, `exited`, … */
  readonly status: string
  /** `http :8080/health`, `docker`, or `none`, which is a problem; `undefined` while it is not running. */
  readonly probe: string | undefined
  readonly address: string | undefined
  /** What the probe found; `undefined`: it was not probed. */
  readonly found: (ProbeResult & { readonly durationMs: number }) | undefined
  readonly settings: readonly Explained[]
  /** Sentences: labels that are wrong, and why there is no probe. */
  readonly problems: readonly string[]
}

/** Who is told, and of which events. */
export type CheckedReceiver = Pick<Receiver, 'name' | 'events'>

export type CheckReport = {
  /** Docker could be asked, and there is no problem. What the probes found does not matter. */
  readonly ok: boolean
  /** The healer's own. */
  readonly settings: readonly Explained[]
  readonly receivers: readonly CheckedReceiver[]
  readonly docker: { readonly reachable: boolean; readonly message: string }
  readonly containers: readonly CheckedContainer[]
}

export type CheckOptions = {
  readonly docker: Docker
  readonly environment: Environment
  /** The same, explained. */
  readonly settings: readonly Explained[]
  readonly receivers: readonly Receiver[]
  readonly own: Surroundings['own']
  readonly monotonicMs: () => number
  /** Probes once; `undefined`: nothing is probed. */
  readonly runProbe: ((probe: Probe, detail: ContainerDetail) => Promise<ProbeResult>) | undefined
}

export async function check(options: CheckOptions): Promise<CheckReport> {
  const { settings } = options
  const receivers = options.receivers.map(({ name, events }) => ({ name, events }))
  try {
    const all = await options.docker.list()
    const checked = await Promise.all(all.map((summary) => checkContainer(summary, all, options)))
    const containers = checked
      .filter((container) => container !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : Number(a.name > b.name)))
    const ok = containers.every(({ problems }) => problems.length === 0)
    return { ok, settings, receivers, docker: { reachable: true, message: 'ok' }, containers }
  } catch (error) {
    if (!(error instanceof DockerError)) throw error
    return { ok: false, settings, receivers, docker: { reachable: false, message: error.message }, containers: [] }
  }
}

/** `undefined`: it is gone. Throws `DockerError`. */
async function checkContainer(
  summary: ContainerSummary,
  containers: readonly ContainerSummary[],
  { docker, environment, settings: ofHealer, own, monotonicMs, runProbe }: CheckOptions,
): Promise<CheckedContainer | undefined> {
  const by = optedIn(summary.labels)
  const detail = await docker.inspect(summary.id)
  if (!detail || !by) return undefined
  const { settings, problems } = readLabels(summary.labels, environment)
  const find = (id: string) => containers.find((each) => each.id === id)
  const chosen = detail.status === 'running' ? chooseProbe(summary, detail, settings, problems, { find, own }) : undefined
  const probe = chosen?.kind === 'none' ? undefined : chosen
  const startedMs = monotonicMs()
  const result = probe && (await runProbe?.(probe, detail))
  const messages = [...problems.map(({ message }) => message), ...(chosen?.kind === 'none' ? [chosen.reason] : [])]
  return {
    name: summary.name,
    optedIn: by,
    status: detail.status,
    probe: probe ? describeProbe(probe) : chosen && 'none',
    address: probe && 'address' in probe ? probe.address : undefined,
    found: result && { ...result, durationMs: monotonicMs() - startedMs },
    settings: explainLabels(summary.labels, probe?.kind ?? settings.probing.kind, ofHealer),
    problems: [...new Set(messages)],
  }
}
