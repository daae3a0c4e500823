// The strongly connected components of a graph: nodes that reach each other, round and round. Pure.

type Visited<N> = { readonly node: N; readonly place: number; lowest: number; readonly edges: Iterator<N> }

/**
 * A number for each of `nodes`, and for what they reach, the same for those of one component. Tarjan's algorithm: in proportion to nodes and
 * edges, and without recursion, for a chain may be as long as a list.
 */
export function findComponents<N>(nodes: Iterable<N>, edges: (from: N) => Iterable<N>): ReadonlyMap<N, number> {
  const components = new Map<N, number>()
  const places = new Map<N, number>()
  /** Those that were come to and have no component yet, as they were come to. */
  const open: N[] = []
  const visit = (node: N): Visited<N> => {
    const place = places.size
    places.set(node, place)
    open.push(node)
    return { node, place, lowest: place, edges: edges(node)[Symbol.iterator]() }
  }
  for (const root of nodes) {
    const path = places.has(root) ? [] : [visit(root)]
    for (let last = path.at(-1); last; last = path.at(-1)) {
      const edge = last.edges.next()
      if (!edge.done) {
        const place = places.get(edge.value)
        if (place === undefined) path.push(visit(edge.value))
        else if (!components.has(edge.value)) last.lowest = Math.min(last.lowest, place)
        continue
      }
      path.pop()
      const before = path.at(-1)
      if (before) before.lowest = Math.min(before.lowest, last.lowest)
      // None of those that were come to since leads further back than to it.
      if (last.lowest === last.place)
        for (const each of open.splice(open.lastIndexOf(last.node))) components.set(each, last.place)
    }
  }
  return components
}
