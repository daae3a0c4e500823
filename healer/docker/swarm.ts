// What is known of a container that a swarm runs as a task of one of its services.

/** The service that it is a task of; `undefined`: of none. */
export function swarmService(labels: Readonly<Record<string, string>>): string | undefined {
  return labels['com.docker.swarm.service.name']
}
