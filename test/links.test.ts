// Every link from one page of the documentation to another leads somewhere: to a file that is there, and to a heading of it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

const pagesOf = (folder: string) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
const pages = ['.', 'docs', 'docs/decisions'].flatMap(pagesOf)

const withoutCode = (file: string) => readFileSync(file, 'utf8').replace(/^```[\s\S]*?^```$/gm, '')

/** A heading's name in a link: in small letters, without marks, a hyphen for each space. */
const anchor = (heading: string) =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replace(/\s/g, '-')

const anchorsOf = (file: string) =>
  new Set([...withoutCode(file).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = '']) => anchor(heading)))

for (const page of pages) {
  await t.test(page, async (t) => {
    const links = [...withoutCode(page).matchAll(/\]\((?!\w+:)([^)\s]+)\)/g)].map(([, link = '']) => link)
    t.ok(existsSync(page))
    for (const link of links) {
      const [path = '', heading] = link.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      t.ok(existsSync(file), link)
      if (heading !== undefined && existsSync(file)) t.ok(anchorsOf(file).has(heading), link)
    }
  })
}
