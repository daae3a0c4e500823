// The policies that are measured: what a client may do is the same, what it is shown is not.

const policy = (client: string, show: string) => `version: 1
client: ${client}
scope: [{ labels: { monitored: "true" } }]
allow:
  SystemPing: {}
  ContainerList: { show: all }
  ContainerInspect: { show: ${show} }
  ContainerRestart: { budget: { client: 100000 per 1m } }
`

/** `cut`: to what policies/healer.yaml shows of a container. */
export const POLICIES = {
  whole: policy('whole', 'all'),
  cut: policy(
    'cut',
    '[Id, Name, RestartCount, State: [Status, StartedAt, ExitCode, OOMKilled, Health: [Status, FailingStreak]], Config: [Healthcheck: [Interval, Retries]], HostConfig: [AutoRemove, NetworkMode]]',
  ),
}
