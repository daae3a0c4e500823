// The docker probe: the Engine's own verdict, by the container's HEALTHCHECK. The Engine has counted already.
import type { ContainerDetail } from '../docker/docker.ts'
import { failure, type ProbeResult, success, unknown } from './result.ts'

export type DockerProbe = { readonly kind: 'docker' }

/** What the Engine says of `container`. */
export function probeDocker({ engineHealth }: ContainerDetail): ProbeResult {
  switch (engineHealth?.status) {
    case 'healthy':
      return success("the container's own health check passes")
    case 'unhealthy':
      return failure(`the container's own health check failed ${engineHealth.failingStreak} times in a row`)
    case 'starting':
      return unknown("the container's own health check has no verdict yet")
    default:
      return unknown('the container has no HEALTHCHECK; give it one, or set healer.port')
  }
}
