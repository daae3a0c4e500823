// A process container in the Engine's own words: the elements of a list and the answer to an inspect.
import type { ProcessContainer } from './process-container.ts'

const USUAL_ADDRESS = '127.0.0.1'

/** An element of `GET /containers/json`. */
export function listElement(container: ProcessContainer): object {
  const { spec, id, createdAt, state } = container
  return {
    Id: id,
    Names: [`/${spec.name}`],
    Image: spec.image,
    ImageID: imageId(container),
    Command: spec.command.join(' '),
    Created: Math.floor(createdAt.getTime() / 1000),
    Ports: state === 'running' ? spec.tcpPorts.map((port) => ({ PrivatePort: port, Type: 'tcp' })) : [],
    Labels: spec.labels,
    State: state,
    Status: describeStatus(container),
    HostConfig: { NetworkMode: spec.network },
    NetworkSettings: networkSettings(container),
    Mounts: mounts(container),
  }
}

/** The answer to `GET /containers/{id}/json`. */
export function inspectBody(container: ProcessContainer): object {
  const { spec, id, createdAt, state, health } = container
  return {
    Id: id,
    Created: createdAt.toISOString(),
    Name: `/${spec.name}`,
    Image: imageId(container),
    RestartCount: container.restartCount,
    State: {
      Status: state,
      Running: state === 'running' || state === 'restarting',
      Paused: false,
      Restarting: state === 'restarting',
      OOMKilled: false,
      Dead: false,
      Pid: state === 'running' ? container.pid : 0,
      ExitCode: container.exitCode,
      Error: container.error,
      StartedAt: container.startedAt,
      FinishedAt: container.finishedAt,
      ...(health ? { Health: { Status: health.status, FailingStreak: health.failingStreak, Log: [] } } : {}),
    },
    Config: {
      Image: spec.image,
      Cmd: spec.command,
      Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      Labels: spec.labels,
      ...(spec.healthcheck
        ? {
            Healthcheck: {
              Test: ['CMD', ...spec.healthcheck.command],
              Interval: spec.healthcheck.intervalMs * 1e6,
              Retries: spec.healthcheck.retries,
            },
          }
        : {}),
    },
    HostConfig: { AutoRemove: false, NetworkMode: spec.network, RestartPolicy: { Name: spec.restart, MaximumRetryCount: 0 } },
    NetworkSettings: networkSettings(container),
    Mounts: mounts(container),
  }
}

function imageId({ spec }: ProcessContainer): string {
  return `sha256:${Buffer.from(spec.image).toString('hex').padEnd(64, '0').slice(0, 64)}`
}

function networkSettings({ spec, state }: ProcessContainer): object {
  const address = spec.address ?? USUAL_ADDRESS
  return { Networks: { [spec.network]: { IPAddress: state === 'running' ? address : '', GlobalIPv6Address: '' } } }
}

function mounts({ spec }: ProcessContainer): readonly object[] {
  return spec.mounts.map(({ source, destination, readOnly }) => ({
    Type: 'bind',
    Source: source,
    Destination: destination,
    RW: !readOnly,
  }))
}

function describeStatus({ state, startedAt, exitCode, health }: ProcessContainer): string {
  switch (state) {
    case 'created':
      return 'Created'
    case 'exited':
      return `Exited (${exitCode})`
    case 'restarting':
      return `Restarting (${exitCode})`
    case 'running': {
      const seconds = Math.floor((Date.now() - Date.parse(startedAt)) / 1000)
      const words = { starting: ' (health: starting)', healthy: ' (healthy)', unhealthy: ' (unhealthy)' } as const
      return `Up ${seconds} seconds${health ? words[health.status] : ''}`
    }
    default:
      return state satisfies never
  }
}
