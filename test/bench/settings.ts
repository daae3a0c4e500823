// How much is measured, and beside whom.

export type Settings = {
  /** How often each is measured; they take turns. */
  readonly rounds: number
  /** How long each is measured, each time. */
  readonly seconds: number
  /** How long memory is watched under full load. */
  readonly minutes: number
  /** Other proxies before the stub Engine's socket, or any server of the same paths, by name. */
  readonly peers: ReadonlyMap<string, string>
  /** Tells how far it has come. */
  readonly say: (text: string) => void
}
