// On which line of a policy's text something stands. For reports; never reads a policy, which `parsePolicy` does.
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

/** Keys, and indices of lists. A name steps into a list as well: to the element that is this name, or has it as a key. */
export type PolicyPath = readonly (string | number)[]

/** The line, from 1, of what `path` leads to; where that is missing, of the nearest that is there around it. */
export type LineOf = (path: PolicyPath) => number

/** `text` is one that `parsePolicy` took. */
export function policyLines(text: string): LineOf {
  const lineCounter = new LineCounter()
  const { contents } = parseDocument(text, { lineCounter, merge: false })
  return (path) => {
    let [node, at]: unknown[] = [contents, undefined]
    for (const [i, step] of path.entries()) {
      const next = stepInto(node, step, i === path.length - 1)
      if (next === undefined) break
      node = next.below
      at = next.at
    }
    return lineCounter.linePos((at as Node | undefined)?.range?.[0] ?? 0).line
  }
}

type Step = { readonly at: unknown; readonly below: unknown }

function stepInto(node: unknown, step: string | number, isLast: boolean): Step | undefined {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && key.value === step)
    return pair && { at: pair.key, below: pair.value }
  }
  if (!isSeq(node)) return undefined
  const whole = typeof step === 'number' ? node.items[step] : node.items.find((item) => isScalar(item) && item.value === step)
  if (whole !== undefined && (isLast || typeof step === 'number')) return { at: whole, below: whole }
  return node.items.filter(isMap).flatMap((item) => stepInto(item, step, isLast) ?? [])[0]
}
