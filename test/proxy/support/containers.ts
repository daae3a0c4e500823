// Containers as an Engine tells of them, and as the decision knows them. Each field has a harmless value until a test says otherwise.
import { type ContainerId, type Listed, parseContainerId, type Target } from '../../../proxy/policy/target.ts'

export type FakeContainer = {
  readonly id: string
  name: string
  readonly labels: Readonly<Record<string, string>>
  state: string
  startedAt: string
  readonly mounts: readonly { readonly Source: string; readonly Destination: string }[]
}

/** A whole id that begins with `start`. */
export function containerId(start: string): ContainerId {
  const id = parseContainerId(start.padEnd(64, '0'))
  if (id === undefined) throw new Error(`${start} does not begin a container id`)
  return id
}

export function fakeContainer(over: Partial<FakeContainer> & { readonly name: string; readonly id: string }): FakeContainer {
  return { labels: { monitored: 'true' }, state: 'running', startedAt: '2024-01-01T00:00:00Z', mounts: [], ...over }
}

export function listed(over: Partial<Listed> = {}): Listed {
  return { id: containerId('aa'), names: ['web'], labels: { monitored: 'true' }, ...over }
}

export function target(over: Partial<Target> = {}): Target {
  return {
    ...listed(),
    state: 'running',
    startedAt: '2024-01-01T00:00:00Z',
    isProtected: false,
    isBusy: false,
    failedToStart: false,
    ...over,
  }
}

/** Environment, mounts and commands that no client may see, in every answer of the fake Engine. */
export const SECRET = 'hunter2-of-the-host'

/** An element of the Engine's list. */
export function listElement({ id, name, labels, state, mounts }: FakeContainer): object {
  return {
    Id: id,
    Names: [`/${name}`],
    Image: SECRET,
    ImageID: `sha256:${id}`,
    Command: `run --password ${SECRET}`,
    Labels: { ...labels, 'com.docker.compose.project.working_dir': `/srv/${SECRET}` },
    State: state,
    Status: `Up 3 minutes of ${state}`,
    Ports: [{ IP: SECRET, PrivatePort: 8080, PublicPort: 80, Type: 'tcp' }],
    HostConfig: { NetworkMode: 'bridge', Secret: SECRET },
    NetworkSettings: { Networks: { front: { IPAddress: '172.17.0.2', GlobalIPv6Address: '', MacAddress: SECRET } } },
    Mounts: mounts,
  }
}

/** The Engine's answer to an inspect. */
export function inspectBody({ id, name, labels, state, startedAt, mounts }: FakeContainer): object {
  return {
    Id: id,
    Name: `/${name}`,
    RestartCount: 2,
    Path: SECRET,
    State: { Status: state, StartedAt: startedAt, ExitCode: 0, OOMKilled: false, Pid: 4711, Error: SECRET },
    Config: {
      Env: [`PASSWORD=${SECRET}`],
      Labels: labels,
      Cmd: [SECRET],
      Healthcheck: { Interval: 1, Retries: 3, Test: [SECRET] },
    },
    HostConfig: { AutoRemove: false, NetworkMode: 'bridge', Binds: [SECRET] },
    Mounts: mounts,
  }
}
