// `Docker` over dockerode. Reads answers with a schema: a field that the policy hides is a clear error, not `undefined`.
import { Agent } from 'node:http'
import { inspect } from 'node:util'
import Dockerode from 'dockerode'
import * as z from 'zod'
import type { DockerHost } from '../settings/value.ts'
import { type ContainerDetail, type Docker, DockerError, lack, type RestartAnswer } from './docker.ts'
import { createNetworkModes } from './network-modes.ts'
import { createListReader } from './read-list.ts'

export type Patience = {
  /** A read must be answered within this. */
  readonly readMs: number
  /** The longest wait for a restart's answer; afterwards the container is looked up. */
  readonly restartMs: number
}

/** A restart takes as long as the container's own stop timeout; the proxy waits for it as long as this. */
const PATIENCE: Patience = { readMs: 10_000, restartMs: 15 * 60_000 }

/** Below the connections that the proxy takes from one client. */
const MAX_SOCKETS = 32

const detailSchema = z.object({
  Id: z.string(),
  RestartCount: z.number(),
  State: z.object({
    Status: z.string(),
    StartedAt: z.string(),
    ExitCode: z.number(),
    OOMKilled: z.boolean(),
    Health: z.object({ Status: z.string(), FailingStreak: z.number() }).nullish(),
  }),
  HostConfig: z.object({ AutoRemove: z.boolean(), NetworkMode: z.string() }),
})

/**
 * docker-modem renders each request's options for its debug output, whether that is on or not, to any depth: an agent with all its sockets
 * takes it seconds with a hundred requests under way. This one is a word.
 */
class OpaqueAgent extends Agent {
  [inspect.custom](): string {
    return 'Agent'
  }
}

/** Talks to the Docker API at `address`. Connects on demand. `say` hears of what cannot be read in a list, once each. */
export function connectDocker(
  address: DockerHost,
  say: (message: string) => void,
  { readMs, restartMs }: Patience = PATIENCE,
): Docker {
  const agent = new OpaqueAgent({ keepAlive: true, maxSockets: MAX_SOCKETS })
  const options = 'socketPath' in address ? { ...address, agent } : { ...address, protocol: 'http' as const, agent }
  const docker = new Dockerode(options)
  const where = 'socketPath' in address ? `unix://${address.socketPath}` : `tcp://${address.host}:${address.port}`
  const inspectOne: Docker['inspect'] = async (id) => {
    const container = docker.getContainer(id)
    try {
      return readDetail(await within(readMs, (abortSignal) => container.inspect({ abortSignal })))
    } catch (error) {
      if (statusOf(error) === 404) return undefined
      throw explain(error, where, readMs)
    }
  }
  const readList = createListReader(say)
  const withNetworkModes = createNetworkModes(inspectOne)
  return {
    async list() {
      try {
        const list = await within(readMs, (abortSignal) => docker.listContainers({ all: true, abortSignal }))
        return await withNetworkModes(readList(list))
      } catch (error) {
        throw explain(error, where, readMs)
      }
    },
    inspect: inspectOne,
    async restart(id) {
      try {
        await within(restartMs, (abortSignal) => docker.getContainer(id).restart({ abortSignal }))
        return { outcome: 'restarted' }
      } catch (error) {
        return explainRestart(error, where)
      }
    },
  }
}

/** An answer that is cut off in mid-body is never reported by the client; so its own time limit is watched beside it. */
function within<T>(ms: number, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(ms)
  return new Promise((resolve, reject) => {
    const expire = () => reject(signal.reason)
    signal.addEventListener('abort', expire, { once: true })
    ask(signal)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', expire))
  })
}

/** Without a HEALTHCHECK Docker says nothing, or `none`, and Podman nothing in words. */
const NO_VERDICT = ['', 'none']

function readDetail(element: unknown): ContainerDetail {
  const { success, data, error } = detailSchema.safeParse(element)
  if (!success) throw new DockerError(lack('an inspect', error.issues[0]?.path.join('.') ?? ''))
  const { Id, RestartCount, State, HostConfig } = data
  return {
    id: Id,
    status: State.Status,
    startedAt: State.StartedAt,
    restartCount: RestartCount,
    exitCode: State.ExitCode,
    oomKilled: State.OOMKilled,
    autoRemove: HostConfig.AutoRemove,
    networkMode: HostConfig.NetworkMode,
    ...(State.Health && !NO_VERDICT.includes(State.Health.Status)
      ? { engineHealth: { status: State.Health.Status, failingStreak: State.Health.FailingStreak } }
      : {}),
  }
}

function statusOf(error: unknown): number | undefined {
  const { statusCode } = (error ?? {}) as { statusCode?: unknown }
  return typeof statusCode === 'number' ? statusCode : undefined
}

/** The sentence of an error answer, without what dockerode wraps around it. */
function messageOf(error: unknown): string {
  const { json } = (error ?? {}) as { json?: { message?: unknown } }
  return typeof json?.message === 'string' ? json.message : ((error as Error)?.message ?? String(error)).trim()
}

function explain(error: unknown, where: string, readMs = 0): DockerError {
  if (error instanceof DockerError) return error
  const status = statusOf(error)
  if (status !== undefined) return new DockerError(`${where} answered ${status}: ${messageOf(error)}`, { cause: error })
  if (isTimeout(error)) return new DockerError(`${where} did not answer within ${readMs / 1000} s`, { cause: error })
  const { code } = error as NodeJS.ErrnoException
  const trouble = `${where} cannot be reached`
  return new DockerError(`${trouble} (${code ?? messageOf(error)}); is the proxy running?`, { cause: error, trouble })
}

function isTimeout(error: unknown): boolean {
  const { name, cause } = (error ?? {}) as { name?: unknown; cause?: { name?: unknown } }
  return name === 'TimeoutError' || name === 'AbortError' || cause?.name === 'TimeoutError'
}

/** Codes that say that no request went out. */
const NOT_SENT = ['ECONNREFUSED', 'ENOENT', 'EACCES', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'EAI_AGAIN']

function explainRestart(error: unknown, where: string): RestartAnswer {
  const message = messageOf(error)
  const status = statusOf(error)
  switch (status) {
    case undefined: {
      const { code } = error as NodeJS.ErrnoException
      return NOT_SENT.includes(code ?? '')
        ? { outcome: 'unreachable', message: explain(error, where).message }
        : { outcome: 'unanswered', message }
    }
    case 404:
      return { outcome: 'gone' }
    case 409:
      return { outcome: 'conflict', message }
    case 429:
      return { outcome: 'budget', message }
    case 400:
    case 403:
      return { outcome: 'refused', message }
    // The proxy changes nothing that it cannot record.
    case 503:
      return { outcome: 'unreachable', message }
    // The proxy lost the Engine, before or after it took the request.
    case 502:
    case 504:
      return { outcome: 'unanswered', message }
    default:
      return { outcome: 'failed', message }
  }
}
