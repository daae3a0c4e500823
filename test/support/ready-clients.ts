// The clients that the ready policies are for, and what each asks of the Engine, byte for byte as its code has it sent. Read from
// the source of the version named; what a client asks only of a swarm, or at the press of a button that changes something, is left out.

export type ReadyClient = {
  /** A container with these is in the scope of its policy. */
  readonly labels: Readonly<Record<string, string>>
  /** `METHOD /path`; NAME and ID stand for a container's. */
  readonly requests: readonly string[]
  /** Those whose answers go on, each with what the first of it has. */
  readonly streams?: Readonly<Record<string, string>>
  readonly headers?: readonly string[]
}

const GO = ['User-Agent: Go-http-client/1.1', 'Accept-Encoding: gzip']
const AXIOS = ['Accept: */*', 'User-Agent: axios/1.7.9', 'Accept-Encoding: gzip, compress, deflate, br']

const filters = (value: unknown) => `filters=${encodeURIComponent(JSON.stringify(value))}`

export const READY_CLIENTS: Readonly<Record<string, ReadyClient>> = {
  // This project's: healer/docker/dockerode.ts.
  healer: {
    labels: { monitored: 'true' },
    requests: [
      'GET /_ping',
      'GET /version',
      `GET /containers/json?all=true&${filters({ label: ['monitored=true'] })}`,
      'GET /containers/ID/json',
      'POST /containers/ID/restart',
    ],
  },
  // willfarrell/docker-autoheal, docker-entrypoint. curl does not encode the marks of JSON.
  autoheal: {
    labels: { autoheal: 'true' },
    headers: ['User-Agent: curl/8.14.1', 'Accept: */*'],
    requests: [
      'GET /_ping',
      'GET /containers/json?filters={"health":["unhealthy"],"label":["autoheal=true"]}',
      'GET /containers/json?filters={"health":["unhealthy"],"label":["autoheal=true"],"status":["running"]}',
      'POST /containers/ID/restart?t=10',
    ],
  },
  // prometheus/prometheus, discovery/moby/docker.go and network.go. GET /_ping, where HEAD fails.
  prometheus: {
    labels: { 'prometheus.scrape': 'true' },
    headers: GO,
    requests: [
      'HEAD /_ping',
      'GET /_ping',
      'GET /v1.45/containers/json',
      `GET /v1.45/containers/json?${filters({ label: { 'prometheus.scrape=true': true } })}`,
      'GET /v1.45/networks',
    ],
  },
  // docker/cli: ps, ps -a, inspect, stats, images, image inspect, network and volume ls and inspect, version, info, system df, events.
  readonly: {
    labels: {},
    headers: GO,
    requests: [
      'HEAD /_ping',
      'GET /_ping',
      'GET /v1.45/containers/json',
      'GET /v1.45/containers/json?all=1',
      'GET /v1.45/containers/NAME/json',
      'GET /v1.45/containers/NAME/stats?stream=0',
      'GET /v1.45/images/json',
      'GET /v1.45/images/node:24-bookworm-slim/json',
      'GET /v1.45/networks',
      'GET /v1.45/networks/bridge',
      'GET /v1.45/volumes',
      'GET /v1.45/volumes/postern-ready-data',
      'GET /v1.45/version',
      'GET /v1.45/info',
      'GET /v1.45/system/df',
    ],
    streams: { 'GET /v1.45/containers/NAME/stats?stream=1': '"cpu_stats"', 'GET /v1.45/events': '"Action":"start"' },
  },
  // gethomepage/homepage: src/utils/config/service-helpers.js, src/utils/docker and src/pages/api/docker.
  homepage: {
    labels: { 'postern.visible': 'true' },
    headers: ['Connection: close'],
    requests: ['GET /containers/json?all=true', 'GET /containers/NAME/json', 'GET /containers/NAME/stats?stream=false'],
  },
  // louislam/uptime-kuma: server/docker.js and server/model/monitor.js.
  'uptime-kuma': {
    labels: { 'postern.visible': 'true' },
    headers: AXIOS,
    requests: ['GET /containers/json?all=true', 'GET /containers/NAME/json'],
  },
  // traefik/traefik, pkg/provider/docker/pdocker.go and shared.go: 3.6 and later, then those before.
  traefik: {
    labels: { 'traefik.enable': 'true' },
    headers: ['User-Agent: Traefik 3.6.1', 'Accept-Encoding: gzip'],
    requests: [
      'HEAD /_ping',
      'GET /_ping',
      'GET /v1.45/version',
      'GET /v1.45/containers/json?all=1',
      'GET /v1.45/containers/ID/json',
      'GET /v1.24/version',
      'GET /v1.24/containers/json',
      'GET /v1.24/containers/ID/json',
    ],
    streams: {
      [`GET /v1.45/events?${filters({ type: { container: true } })}`]: '"Action":"start"',
      [`GET /v1.24/events?${filters({ type: { container: true } })}`]: '"Action":"start"',
    },
  },
  // amir20/dozzle, internal/container/docker/client.go.
  dozzle: {
    labels: { 'postern.visible': 'true' },
    headers: ['User-Agent: Docker-Client/Dozzle', 'Accept-Encoding: gzip'],
    requests: [
      'HEAD /_ping',
      'GET /_ping',
      'GET /v1.45/version',
      'GET /v1.45/info',
      'GET /v1.45/containers/json?all=1',
      `GET /v1.45/containers/json?all=1&${filters({ label: { 'dev.dozzle.group=own': true } })}`,
      'GET /v1.45/containers/ID/json',
      'GET /v1.45/containers/ID/logs?since=1700000000.000000000&stderr=1&stdout=1&tail=&timestamps=1&until=4000000000.000000000',
    ],
    streams: {
      'GET /v1.45/events': '"Action":"start"',
      'GET /v1.45/containers/ID/logs?follow=1&since=1700000000.000000000&stderr=1&stdout=1&tail=100&timestamps=1': 'it runs',
      'GET /v1.45/containers/ID/stats?stream=1': '"cpu_stats"',
    },
  },
}
