// The fake Docker behind a unix socket, as the proxy serves it: for the healer's real client, and for trouble on the way.
import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryDirectory } from '../../support/temporary.ts'
import type { FakeContainer, FakeDocker } from './fake-docker.ts'

export type DockerApi = {
  readonly socketPath: string
  /** Set, it answers instead; what it leaves to `usual` is answered as ever. */
  trouble: ((usual: RequestListener) => RequestListener) | undefined
  /** Nobody listens on the socket; `start` makes it anew. */
  readonly stop: () => Promise<void>
  readonly start: () => Promise<void>
}

export async function serveDocker(t: Test, docker: () => FakeDocker): Promise<DockerApi> {
  const socketPath = join(temporaryDirectory(t), 'api.sock')
  const usual: RequestListener = async (request, response) => {
    const answer = (status: number, body?: unknown) =>
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(body === undefined ? undefined : JSON.stringify(body))
    const { containers, restart } = docker()
    const [, id, action] = /^\/containers\/(\w+)\/(json|restart)/.exec(request.url ?? '') ?? []
    const container = containers.get(id ?? '')
    if (id === undefined) return void answer(200, [...containers.values()].map(listed))
    if (!container) return void answer(404, { message: 'no such container' })
    if (action === 'json') return void answer(200, inspected(container))
    await restart(id)
    answer(204)
  }
  const listen = () => {
    const made = createServer((request, response) => (api.trouble?.(usual) ?? usual)(request, response))
    return new Promise<typeof made>((resolve) => made.listen(socketPath, () => resolve(made)))
  }
  let server = await listen()
  const api: DockerApi = {
    socketPath,
    trouble: undefined,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
    async start() {
      server = await listen()
    },
  }
  t.teardown(api.stop)
  return api
}

const listed = ({ summary }: FakeContainer) => ({
  Id: summary.id,
  Names: [`/${summary.name}`],
  ImageID: summary.imageId,
  Labels: summary.labels,
  Ports: summary.tcpPorts.map((PrivatePort) => ({ PrivatePort, Type: 'tcp' })),
  HostConfig: { NetworkMode: summary.networkMode },
  NetworkSettings: {
    Networks: Object.fromEntries(summary.networks.map(({ name, addresses }) => [name, { IPAddress: addresses[0] }])),
  },
})

const inspected = ({ detail }: FakeContainer) => ({
  Id: detail.id,
  RestartCount: detail.restartCount,
  State: { Status: detail.status, StartedAt: detail.startedAt, ExitCode: detail.exitCode, OOMKilled: detail.oomKilled },
  HostConfig: { AutoRemove: detail.autoRemove, NetworkMode: detail.networkMode },
})
