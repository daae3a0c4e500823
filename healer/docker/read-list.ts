// Reads Docker's list, each container by itself: one that cannot be read costs no other its place. It is left out, and said.
import * as z from 'zod'
import { optedIn } from '../settings/labels.ts'
import { MAX_MESSAGE, shown } from '../settings/shown.ts'
import { DockerError, lack } from './docker.ts'
import type { Unmoded } from './network-modes.ts'
import { swarmService } from './swarm.ts'
import { parseUpFor } from './up-for.ts'

const summarySchema = z.object({
  Id: z.string(),
  Names: z.array(z.string()).min(1),
  ImageID: z.string().default(''),
  Labels: z.record(z.string(), z.string()).nullish(),
  State: z.string().nullish(),
  Status: z.string().nullish(),
  Ports: z.array(z.object({ PrivatePort: z.number(), Type: z.string() })).nullish(),
  /** Podman's list has none. */
  HostConfig: z.object({ NetworkMode: z.string() }).nullish(),
  NetworkSettings: z
    .object({
      Networks: z
        .record(z.string(), z.object({ IPAddress: z.string().nullish(), GlobalIPv6Address: z.string().nullish() }))
        .nullish(),
    })
    .nullish(),
})

/** What was said of so many is remembered, and so many are named at once. */
const MAX_SAID = 10_000
const MAX_NAMED = 10

/**
 * Reads one list after the other. Throws `DockerError` where every container lacks the same field: then the policy hides it. Of others that
 * cannot be read `say` hears once each, with what they lack.
 */
export function createListReader(say: (message: string) => void): (elements: readonly unknown[]) => readonly Unmoded[] {
  const said = new Set<string>()
  return (elements) => {
    const read = elements.filter((element) => !isNameless(element)).map((element) => readElement(element))
    const unread = read.filter((each) => 'lacks' in each)
    const [first] = unread
    if (first && unread.length === read.length && unread.every(({ lacks }) => lacks === first.lacks))
      throw new DockerError(lack('a list', first.lacks))
    const words = unread.map(({ id, lacks }) => `${shown(id.slice(0, 12))} lacks ${lacks || 'all'}`)
    const news = [...new Set(words)].filter((each) => !said.has(each))
    for (const each of news) said.add(each)
    for (const each of [...said].slice(0, Math.max(0, said.size - MAX_SAID))) said.delete(each)
    if (news.length > 0) {
      const more = news.length > MAX_NAMED ? `; and ${news.length - MAX_NAMED} more` : ''
      const named = news.slice(0, MAX_NAMED).join('; ')
      say(shown(`not watched, since Docker's list does not tell what is needed: ${named}`, MAX_MESSAGE) + more)
    }
    return read.flatMap((each) => ('watched' in each && each.watched) || [])
  }
}

/** The Engine lists so what is dead: removed but for its name, which another may have by now. */
function isNameless(element: unknown): boolean {
  const { Names } = (element ?? {}) as { readonly Names?: unknown }
  return Names === null || (Array.isArray(Names) && Names.length === 0)
}

type Read = { readonly watched: Unmoded | undefined } | { readonly id: string; readonly lacks: string }

function readElement(element: unknown): Read {
  const { success, data, error } = summarySchema.safeParse(element)
  if (success) return { watched: toWatch(data) }
  const { Id: id } = (element ?? {}) as { readonly Id?: unknown }
  return { id: typeof id === 'string' ? id : 'a container', lacks: shown(error.issues[0]?.path.join('.') ?? '') }
}

/** A swarm keeps the containers of tasks that have ended, which it never starts again. */
const ENDED = ['exited', 'dead']

/** `undefined`: it is not to be watched. */
function toWatch(element: z.infer<typeof summarySchema>): Unmoded | undefined {
  const labels = element.Labels ?? {}
  const isOver = swarmService(labels) !== undefined && ENDED.includes(element.State ?? '')
  if (isOver || optedIn(labels) === undefined) return undefined
  const upForMs = parseUpFor(element.State ?? '', element.Status ?? '')
  return {
    id: element.Id,
    name: (element.Names.find((name) => name.lastIndexOf('/') === 0) ?? element.Names[0] ?? '').replace(/^\//, ''),
    imageId: element.ImageID,
    labels,
    tcpPorts: [...new Set((element.Ports ?? []).filter(({ Type }) => Type === 'tcp').map(({ PrivatePort }) => PrivatePort))],
    networkMode: element.HostConfig?.NetworkMode,
    networks: Object.entries(element.NetworkSettings?.Networks ?? {}).map(([name, { IPAddress, GlobalIPv6Address }]) => ({
      name,
      addresses: [IPAddress, GlobalIPv6Address].filter(
        (address): address is string => typeof address === 'string' && address !== '',
      ),
    })),
    ...(upForMs === undefined ? {} : { upForMs }),
  }
}
