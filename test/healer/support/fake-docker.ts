// Docker as the healer sees it, in memory: containers that a test can break, and a record of what was asked.
import type { ContainerDetail, ContainerSummary, Docker, RestartAnswer } from '../../../healer/docker/docker.ts'
import type { Clock } from '../../../healer/loop/clock.ts'

export type FakeContainer = { summary: ContainerSummary; detail: ContainerDetail }

export type FakeDocker = Docker & {
  readonly containers: Map<string, FakeContainer>
  /** Names of the containers whose restart was asked for. */
  readonly restarts: string[]
  /** Adds a running container; `port` is where it answers on 127.0.0.1. */
  readonly add: (
    name: string,
    port?: number,
    change?: { summary?: Partial<ContainerSummary>; detail?: Partial<ContainerDetail> },
  ) => FakeContainer
  /** What a restart does; by default it starts the container anew. */
  onRestart: (container: FakeContainer) => RestartAnswer | Promise<RestartAnswer>
  /** Lists tell for how long containers have been up, as the Engine's do. */
  tellsUptime: boolean
  /** Set, every read fails with it. */
  failure: Error | undefined
  /** Ids whose inspect finds nothing though they are listed. */
  readonly vanished: Set<string>
  readonly startAnew: (container: FakeContainer, by?: 'docker' | 'someone') => void
}

export function createFakeDocker(clock: Clock): FakeDocker {
  let made = 0
  const now = () => new Date(clock.wallMs()).toISOString()
  const docker: FakeDocker = {
    containers: new Map(),
    restarts: [],
    tellsUptime: true,
    failure: undefined,
    vanished: new Set(),
    onRestart(container) {
      docker.startAnew(container)
      return { outcome: 'restarted' }
    },
    startAnew(container, by = 'someone') {
      const restartCount = by === 'docker' ? container.detail.restartCount + 1 : 0
      container.detail = { ...container.detail, status: 'running', startedAt: `${now()}#${made++}`, restartCount }
    },
    add(name, port, change = {}) {
      const id = (made++).toString(16).padStart(64, '0')
      const container: FakeContainer = {
        summary: {
          id,
          name,
          imageId: 'sha256:1',
          labels: { monitored: 'true' },
          tcpPorts: port === undefined ? [] : [port],
          networkMode: 'net',
          networks: [{ name: 'net', addresses: ['127.0.0.1'] }],
          ...change.summary,
        },
        detail: {
          id,
          status: 'running',
          startedAt: now(),
          restartCount: 0,
          exitCode: 0,
          oomKilled: false,
          autoRemove: false,
          networkMode: 'net',
          ...change.detail,
        },
      }
      docker.containers.set(id, container)
      return container
    },
    async list() {
      if (docker.failure) throw docker.failure
      return [...docker.containers.values()].map(({ summary, detail: { status, startedAt } }) => {
        const upForMs = clock.wallMs() - Date.parse(startedAt.replace(/#.*/, ''))
        return docker.tellsUptime && status === 'running' && upForMs >= 0 ? { ...summary, upForMs } : summary
      })
    },
    async inspect(id) {
      if (docker.failure) throw docker.failure
      return docker.vanished.has(id) ? undefined : docker.containers.get(id)?.detail
    },
    async restart(id) {
      const container = docker.containers.get(id)
      if (!container) return { outcome: 'gone' }
      docker.restarts.push(container.summary.name)
      return docker.onRestart(container)
    },
  }
  return docker
}
