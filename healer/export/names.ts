// Names that Kubernetes takes: a label of RFC 1123, small letters, digits and hyphens, at most 63. Two things never get the same one.

const MAX = 63

/** One name for each of `services`, in their order. */
export function kubernetesNames(
  services: readonly { readonly name: string; readonly project: string | undefined }[],
): readonly string[] {
  const plain = services.map(({ name }) => toLabel(name))
  const withProject = services.map(({ name, project }, index) => {
    const isAlone = plain.indexOf(plain[index] ?? '') === plain.lastIndexOf(plain[index] ?? '')
    return isAlone || project === undefined ? (plain[index] ?? '') : toLabel(`${project}-${name}`)
  })
  const taken = new Set<string>()
  return withProject.map((name) => {
    let free = name
    for (let number = 2; taken.has(free); number++) free = `${toLabel(name.slice(0, MAX - 6))}-${number}`
    taken.add(free)
    return free
  })
}

function toLabel(name: string): string {
  const cut = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, MAX)
  return cut.replace(/^-+|-+$/g, '') || 'service'
}
