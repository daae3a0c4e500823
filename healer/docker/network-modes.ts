// The network modes of containers whose element of a list tells none, as Podman's tell none: asked for once each, since the mode of a
// container never changes. What cannot be told is left empty, and asked for again.
import { type ContainerSummary, type Docker, DockerError } from './docker.ts'

export type Unmoded = Omit<ContainerSummary, 'networkMode'> & { readonly networkMode: string | undefined }

/** Completes the elements of one list after the other. Remembers only what the last one named. */
export function createNetworkModes(
  inspect: Docker['inspect'],
): (listed: readonly Unmoded[]) => Promise<readonly ContainerSummary[]> {
  let known: ReadonlyMap<string, string> = new Map()
  const ask = async (id: string): Promise<string> => {
    try {
      return (await inspect(id))?.networkMode ?? ''
    } catch (error) {
      if (!(error instanceof DockerError)) throw error
      return ''
    }
  }
  return async (listed) => {
    const complete = await Promise.all(
      listed.map(async (each) => ({ ...each, networkMode: each.networkMode ?? known.get(each.id) ?? (await ask(each.id)) })),
    )
    known = new Map(complete.filter(({ networkMode }) => networkMode !== '').map(({ id, networkMode }) => [id, networkMode]))
    return complete
  }
}
