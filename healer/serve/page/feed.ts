// What changed on the status page since a browser last heard of it. Keeps the newest text of each part and when it came to be, and nothing
// of who is listening. Made anew once a second at most, however many look.
import { atMostEvery } from './at-most-every.ts'
import { LISTS, type ListName, type Parts } from './parts.ts'

/** What a browser needs to make its page the newest. */
export type Update = {
  /** To be given back at the next question. */
  readonly version: string
  /** The healer's time, milliseconds since 1970. */
  readonly nowMs: number
  /** The ids of the elements of each list, in order; absent: as before. */
  readonly lists?: Parts['lists']
  /** The elements that are new or changed, by id. */
  readonly html: Readonly<Record<string, string>>
}

export type Feed = {
  readonly parts: () => Promise<Parts & { readonly version: string }>
  /** `since`: a version that this feed gave; whatever else, everything is new. */
  readonly since: (since: string) => Promise<Update>
}

export type FeedOptions = {
  readonly makeParts: () => Promise<Parts>
  readonly wallMs: () => number
  /** Of this run of the healer alone, so that what another gave counts as unknown. */
  readonly run: string
}

const MAKE_EVERY_MS = 1000

export function createFeed({ makeParts, wallMs, run }: FeedOptions): Feed {
  let number = 0
  let listsNumber = 0
  let lists: Parts['lists'] = { containers: [], incidents: [] }
  let html: ReadonlyMap<string, { readonly text: string; readonly number: number }> = new Map()

  const make = async () => {
    const parts = await makeParts()
    const next = number + 1
    const made = new Map(
      [...parts.html].map(([id, text]) => {
        const known = html.get(id)
        return [id, known?.text === text ? known : { text, number: next }] as const
      }),
    )
    const listsChanged = !isSame(lists, parts.lists)
    if (listsChanged || [...made.values()].some((each) => each.number === next)) number = next
    if (listsChanged) listsNumber = next
    lists = parts.lists
    html = made
  }
  const renew = atMostEvery(MAKE_EVERY_MS, make)
  const version = () => `${run}.${number}`

  return {
    async parts() {
      await renew()
      return { version: version(), lists, html: new Map([...html].map(([id, { text }]) => [id, text])) }
    },
    async since(since) {
      await renew()
      const [, ofRun, known] = /^(.{1,64})\.(\d{1,15})$/.exec(since) ?? []
      const from = ofRun === run ? Number(known) : -1
      const changed = [...html].filter(([, each]) => each.number > from)
      return {
        version: version(),
        nowMs: wallMs(),
        ...(listsNumber > from ? { lists } : {}),
        html: Object.fromEntries(changed.map(([id, { text }]) => [id, text])),
      }
    },
  }
}

const isSame = (a: Parts['lists'], b: Parts['lists']) =>
  LISTS.every((name: ListName) => a[name].length === b[name].length && a[name].every((id, i) => id === b[name][i]))
