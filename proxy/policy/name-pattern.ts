// Names with `*` in them, as `show` and `query` have them.
import type { Show, ShowField } from './policy.ts'

/** Whether `name` is what `pattern` says, in which `*` stands for any run of characters. Linear in both. */
export function matchesName(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name
  const [first = '', ...rest] = pattern.split('*')
  const last = rest.pop() ?? ''
  if (!name.startsWith(first)) return false
  let from = first.length
  for (const part of rest) {
    const at = name.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return name.length - last.length >= from && name.endsWith(last)
}

/** What is shown of the field `name`: the union of all entries that match it; `undefined` where none does. */
export function fieldsBelow(fields: readonly ShowField[], name: string): Show | undefined {
  const matching = fields.filter((field) => matchesName(field.name, name)).map((field) => field.fields)
  if (matching.length < 2) return matching[0]
  const union: ShowField[] = []
  for (const below of matching) {
    if (below === 'all') return 'all'
    union.push(...below)
  }
  return union
}
