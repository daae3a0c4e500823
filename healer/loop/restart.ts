// Carries out one restart: looks once more whether it is still right, asks for it, and finds out what came of it.
import { type ContainerDetail, type Docker, DockerError, type RestartAnswer } from '../docker/docker.ts'
import type { RestartOutcome } from '../health/machine.ts'
import type { Run } from '../health/state.ts'
import type { Clock } from './clock.ts'

export type RestartOrder = {
  readonly id: string
  /** The run that was found ill; another one is left alone. */
  readonly startedAt: string | undefined
  /** An earlier restart left it exited: then, and only then, a container that does not run is restarted. */
  readonly failedToStart: boolean
}

/** Never rejects. */
export async function carryOutRestart(docker: Docker, clock: Clock, order: RestartOrder): Promise<RestartOutcome> {
  const before = await inspect(docker, order.id)
  if ('problem' in before) return before.problem
  const objection = (await findObjection(docker, before.detail, order)) ?? undefined
  if (objection) return objection

  const askedMs = clock.monotonicMs()
  const answer = await docker.restart(order.id)
  const after = await inspect(docker, order.id)
  const detail = 'detail' in after ? after.detail : undefined
  return judge(answer, before.detail, detail, clock, askedMs)
}

/** The run of a container that was just looked at. */
export function runOf({ startedAt, restartCount }: ContainerDetail, clock: Clock): Run {
  const started = Date.parse(startedAt)
  const ageMs = Number.isFinite(started) ? Math.max(0, clock.wallMs() - started) : 0
  return { startedAt, restartCount, sinceMs: clock.monotonicMs() - ageMs }
}

const waits = (why: Extract<RestartOutcome, { outcome: 'waits' }>['why'], message: string): RestartOutcome => ({
  outcome: 'waits',
  why,
  message,
})

async function inspect(
  docker: Docker,
  id: string,
): Promise<{ readonly detail: ContainerDetail } | { readonly problem: RestartOutcome }> {
  try {
    const detail = await docker.inspect(id)
    return detail ? { detail } : { problem: waits('gone', 'the container is gone') }
  } catch (error) {
    if (!(error instanceof DockerError)) throw error
    return { problem: waits('unreachable', error.message) }
  }
}

async function findObjection(docker: Docker, detail: ContainerDetail, order: RestartOrder): Promise<RestartOutcome | undefined> {
  const { status, networkMode } = detail
  if (order.startedAt !== undefined && detail.startedAt !== order.startedAt) return waits('gone', 'it was started anew meanwhile')
  if (status !== 'running' && !(status === 'exited' && order.failedToStart)) return waits('gone', `it is ${status}`)
  if (detail.autoRemove) return waits('refused', 'it was started with --rm, and stopping it would remove it')
  if (!networkMode.startsWith('container:')) return undefined
  const provider = await inspect(docker, networkMode.slice('container:'.length))
  // A provider that did not opt in cannot be seen; then the Engine will say whether it is there.
  if ('problem' in provider || provider.detail.status === 'running') return undefined
  return waits('gone', `the container whose network it uses is ${provider.detail.status}`)
}

function judge(
  answer: RestartAnswer,
  before: ContainerDetail,
  after: ContainerDetail | undefined,
  clock: Clock,
  askedMs: number,
): RestartOutcome {
  const tookMs = clock.monotonicMs() - askedMs
  const unseen: Run = { startedAt: undefined, restartCount: 0, sinceMs: clock.monotonicMs() }
  const isNewRun = after !== undefined && after.startedAt !== before.startedAt && after.status === 'running'
  switch (answer.outcome) {
    case 'restarted':
      return { outcome: 'restarted', run: after ? runOf(after, clock) : unseen, tookMs }
    case 'failed':
      return { outcome: 'failed', message: answer.message, status: after?.status ?? before.status }
    case 'unanswered':
      // The Engine finishes a restart whose client has gone, so the container is asked, not the lost answer.
      if (isNewRun) return { outcome: 'restarted', run: runOf(after, clock), tookMs }
      if (!after) return { outcome: 'waits', why: 'unreachable', message: answer.message, mayBeDone: true }
      return {
        outcome: 'failed',
        message: `no answer came (${answer.message}), and it has not been started anew`,
        status: after.status,
      }
    case 'gone':
      return waits('gone', 'the container is gone')
    case 'conflict':
      return waits('gone', answer.message)
    case 'budget':
    case 'refused':
    case 'unreachable':
      return waits(answer.outcome, answer.message)
    default:
      return answer satisfies never
  }
}
