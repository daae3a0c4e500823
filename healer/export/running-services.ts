// The services whose containers opted in, as the healer sees them through Docker. Several containers of one service are one.
import type { Docker } from '../docker/docker.ts'
import { swarmService } from '../docker/swarm.ts'
import { networkProvider } from '../health/dependencies.ts'
import type { Service } from './service.ts'

/** Throws `DockerError`. */
export async function listServices(docker: Pick<Docker, 'list' | 'inspect'>): Promise<readonly Service[]> {
  const services = new Map<string, Service>()
  for (const container of await docker.list()) {
    const detail = await docker.inspect(container.id)
    if (!detail) continue
    const { labels, tcpPorts } = container
    const project = labels['com.docker.compose.project']
    const name = labels['com.docker.compose.service'] ?? swarmService(labels) ?? container.name
    services.set(JSON.stringify([project, name]), {
      name,
      project,
      labels,
      tcpPorts,
      healthcheck: detail.engineHealth ? 'hidden' : 'none',
      sharesNetwork: networkProvider(container) !== undefined,
    })
  }
  return [...services.values()]
}
