// Exported probes as YAML: for each service a Deployment with nothing but its probes, to be merged into the one that runs it. What is
// otherwise in Kubernetes stands in comments.
import { Document } from 'yaml'
import { printable } from '../check/render.ts'
import type { Exported } from './kubernetes.ts'

const HEAD = [
  'Probes for Kubernetes, to be merged into Deployments with these names, and containers with these names in them.',
  'Otherwise than the healer, Kubernetes is content with any status from 200 to 399; restarts what has never been well, too, and for',
  'ever; waits for nothing that another depends on; restarts all when most fail at once; and tells nobody.',
]

/** Ends with a line feed. */
export function renderManifests(exported: readonly Exported[]): string {
  const leftOut = exported.flatMap((each) => ('leftOut' in each ? [`${each.of}: ${each.leftOut}`, ...each.notes] : []))
  const head = [...HEAD, ...(leftOut.length > 0 ? ['', 'Left out:', ...leftOut.map((line) => `  ${line}`)] : [])]
  const manifests = exported.flatMap((each) => ('probes' in each ? [renderManifest(each)] : []))
  // No `---` before the first: what comes before it is a document of its own to some.
  return `${toComment(head)}\n\n${manifests.join('---\n')}`
}

function renderManifest({ name, of, notes, probes }: Extract<Exported, { readonly probes: unknown }>): string {
  const containers = [{ name, ...probes }]
  const document = new Document(
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: { template: { spec: { containers } } },
    },
    { aliasDuplicateObjects: false },
  )
  return `${toComment([of, ...notes.map((note) => `  ${note}`)])}\n${document.toString({ lineWidth: 0 })}`
}

/** How many, for the terminal. */
export function summarise(exported: readonly Exported[]): string {
  const leftOut = exported.filter((each) => 'leftOut' in each).length
  const notes = exported.reduce((sum, each) => sum + each.notes.length, 0)
  const count = (number: number, one: string, many: string) => `${number} ${number === 1 ? one : many}`
  return [
    `${count(exported.length - leftOut, 'service', 'services')} exported`,
    `${leftOut} left out`,
    `${count(notes, 'note', 'notes')} on what is otherwise in Kubernetes${leftOut + notes > 0 ? ': see the comments' : ''}`,
  ].join(', ')
}

/** Nothing that a label holds can end a comment. */
function toComment(lines: readonly string[]): string {
  return lines.map((line) => `# ${printable(line)}`.trimEnd()).join('\n')
}
