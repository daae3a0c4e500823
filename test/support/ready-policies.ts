// The ready policies' files, and the compose snippets of docs/policies.md, by name.
import { readdirSync, readFileSync } from 'node:fs'
import { blocks, readPage } from './pages.ts'

export const READY_POLICIES: readonly string[] = readdirSync('policies')
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.replace(/\.yaml$/, ''))

export const readyPolicyFile = (name: string) => new URL(`../../policies/${name}.yaml`, import.meta.url).pathname
export const readyPolicyText = (name: string) => readFileSync(readyPolicyFile(name), 'utf8')

/** Whether a block of YAML is for `docker compose`, and no policy. */
export const isComposition = (block: string) => /^services:$/m.test(block)

/** Each snippet by the name of the file in its first line. */
export const SNIPPETS: ReadonlyMap<string, string> = new Map(
  blocks(readPage('policies.md'), 'yaml')
    .filter(isComposition)
    .map((block) => [/^# ([a-z-]+)\.yaml/.exec(block)?.[1] ?? '', block]),
)
