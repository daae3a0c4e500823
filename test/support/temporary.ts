// Places for a test's sockets and files. Directly below the system's temporary directory, not in the runner's own: a unix socket's path can
// have 107 bytes, and a checkout may lie deep; and the runner may remove its own before what writes there has been ended.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What of a test these helpers need: to be told when it is over. */
export type Owner = { readonly teardown: (end: () => unknown) => void }

/** A new directory, removed when the test is over. */
export function temporaryDirectory(owner: Owner): string {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  owner.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** New files of these names and contents, readable to all; their paths. */
export function temporaryFiles<Name extends string>(
  owner: Owner,
  contents: Readonly<Record<Name, string>>,
): Record<Name, string> {
  const directory = temporaryDirectory(owner)
  chmodSync(directory, 0o755)
  const paths = Object.entries<string>(contents).map(([name, text]) => {
    const path = join(directory, name)
    writeFileSync(path, text)
    return [name, path]
  })
  return Object.fromEntries(paths)
}
