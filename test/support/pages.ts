// What the tests read of the documentation's pages: sections, tables, and blocks of code.
import { readFileSync } from 'node:fs'

export const readPage = (name: string): string => readFileSync(`docs/${name}`, 'utf8')

/** The rows of a table below `heading`, as cells; the `table`-th of that section, without its head. */
export function tableRows(text: string, heading: string, table = 0): readonly (readonly string[])[] {
  const section = text.split(/^#+ /m).find((part) => part.startsWith(heading))
  if (section === undefined) throw new Error(`there is no heading “${heading}”`)
  const tables = section.split(/\n(?!\|)/).filter((block) => block.replace(/^\n+/, '').startsWith('|'))
  const rows = (tables[table] ?? '').trim().split('\n').slice(2)
  return rows.map((row) => row.split('|').slice(1, -1))
}

/** What stands in backquotes. */
export const words = (cell = ''): string[] => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '')

/** The first cells of the rows of a table below `heading`, without their backquotes. */
export const firstColumn = (text: string, heading: string, table = 0): string[] =>
  tableRows(text, heading, table).flatMap(([first]) => words(first))

/** The texts of the blocks of `language`, in order. */
export function blocks(text: string, language: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map((match) => match[1] ?? '')
}
