// Which containers are being changed, and which have been since a given moment: what was known of one before a change is not
// known any more. Shared by all clients.

export type Changes = {
  readonly isUnderWay: (id: string) => boolean
  /** A change to `id` begins; call what is returned when it is over. */
  readonly begin: (id: string) => () => void
  /** This moment, for `since`. */
  readonly mark: () => number
  /** A change to `id` was over after the moment `mark`. */
  readonly since: (id: string, mark: number) => boolean
}

/** Beyond this, the oldest are forgotten, and whatever was known before then counts as changed. */
const MAX_REMEMBERED = 1000

export function createChanges(): Changes {
  const underWay = new Set<string>()
  const overAt = new Map<string, number>()
  let moment = 0
  let forgottenUntil = 0
  return {
    isUnderWay: (id) => underWay.has(id),
    begin(id) {
      underWay.add(id)
      return () => {
        underWay.delete(id)
        overAt.delete(id)
        overAt.set(id, ++moment)
        const [oldest] = overAt
        if (overAt.size > MAX_REMEMBERED && oldest) {
          overAt.delete(oldest[0])
          forgottenUntil = oldest[1]
        }
      }
    },
    mark: () => moment,
    since: (id, mark) => mark < forgottenUntil || (overAt.get(id) ?? 0) > mark,
  }
}
