// A service as an export needs it, wherever it was read. What could not be seen is said to be so, never guessed.

/** A HEALTHCHECK, with the Engine's own defaults filled in. */
export type Healthcheck = {
  /** The program and its arguments. */
  readonly command: readonly string[]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
}

export type Service = {
  /** The service of compose or of a swarm, or the container where there is none. */
  readonly name: string
  /** The compose project. */
  readonly project: string | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly tcpPorts: readonly number[]
  /** `hidden`: it has one, and what it runs cannot be seen. `not-given`: there is none here; its image may have one. */
  readonly healthcheck: Healthcheck | 'none' | 'hidden' | 'not-given'
  /** It uses another one's network. */
  readonly sharesNetwork: boolean
}
