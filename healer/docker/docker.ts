// What the healer knows of containers and asks of Docker. The healer's own view: only what the policy shows.

/** A container as a list shows it. */
export type ContainerSummary = {
  readonly id: string
  /** Without the leading slash. */
  readonly name: string
  readonly imageId: string
  readonly labels: Readonly<Record<string, string>>
  /** TCP ports that its image or its settings expose, inside the container. */
  readonly tcpPorts: readonly number[]
  /** `bridge`, a network's name, `host`, `none` or `container:ID`; empty where it could not be told. */
  readonly networkMode: string
  readonly networks: readonly Network[]
  /** Milliseconds that it had been up for without a break, at the least, when it was listed; absent: it was not up, or that was not told. */
  readonly upForMs?: number
}

/** A network the container is attached to, with its addresses there; empty while it is not running. */
export type Network = { readonly name: string; readonly addresses: readonly string[] }

/** A container as an inspect shows it. */
export type ContainerDetail = {
  readonly id: string
  /** `created`, `running`, `paused`, `restarting`, `removing`, `exited` or `dead`. */
  readonly status: string
  /** RFC 3339, as the Engine writes it; with the id it names one run. */
  readonly startedAt: string
  readonly restartCount: number
  readonly exitCode: number
  readonly oomKilled: boolean
  /** The Engine's own verdict; absent without a HEALTHCHECK. */
  readonly engineHealth?: { readonly status: string; readonly failingStreak: number }
  /** Started with `--rm`: stopping it would remove it. */
  readonly autoRemove: boolean
  readonly networkMode: string
}

/** What came of asking for a restart. */
export type RestartAnswer =
  | { readonly outcome: 'restarted' }
  /** There is no such container any more. */
  | { readonly outcome: 'gone' }
  /** The Engine tried and could not. */
  | { readonly outcome: 'failed'; readonly message: string }
  /** The proxy's budget is spent. */
  | { readonly outcome: 'budget'; readonly message: string }
  /** The container's state does not allow it, or another change is under way. */
  | { readonly outcome: 'conflict'; readonly message: string }
  /** The policy does not allow it. */
  | { readonly outcome: 'refused'; readonly message: string }
  /** Nobody was there to ask; nothing was done. */
  | { readonly outcome: 'unreachable'; readonly message: string }
  /** Asked, and no answer came: it may have been done. */
  | { readonly outcome: 'unanswered'; readonly message: string }

export type Docker = {
  /** All containers that opted in, running or not; of a swarm's tasks those that have not ended, for good. Throws `DockerError`. */
  readonly list: () => Promise<readonly ContainerSummary[]>
  /** `undefined`: there is no such container. Throws `DockerError`. */
  readonly inspect: (id: string) => Promise<ContainerDetail | undefined>
  /** Never throws. */
  readonly restart: (id: string) => Promise<RestartAnswer>
}

/** Docker could not be asked, or refused. */
export class DockerError extends Error {
  /** What is amiss, without what may differ from one call to the next. */
  readonly trouble: string

  constructor(message: string, { trouble = message, ...options }: ErrorOptions & { readonly trouble?: string } = {}) {
    super(message, options)
    this.name = 'DockerError'
    this.trouble = trouble
  }
}

/** What to say where the `field` that the healer needs is not in Docker's answer to `what`; an empty one: it is nothing that has fields. */
export function lack(what: string, field: string): string {
  return `Docker's answer to ${what} lacks ${field || 'what the healer needs'}; does the proxy's policy show it?`
}
