// Makes what the browser gets with the status page out of its sources: the script with the one package that it uses, and the style. Ends
// up in the healer's code, since each program is one file.
import { readFileSync } from 'node:fs'
import { buildSync } from 'esbuild'

const FOLDER = 'healer/serve/page/client'

export function renderPageAssets(): string {
  const made = (entry: string) =>
    buildSync({
      entryPoints: [`${FOLDER}/${entry}`],
      bundle: true,
      write: false,
      target: ['chrome109', 'firefox115', 'safari16.4'],
      minifyWhitespace: true,
      legalComments: 'inline',
      logLevel: 'warning',
    }).outputFiles[0]?.text ?? ''
  return [
    `// Made from ${FOLDER} by \`npm run generate\`.`,
    `export const PAGE_CSS = ${JSON.stringify(made('page.css'))}`,
    `export const PAGE_SCRIPT = ${JSON.stringify(made('client.ts'))}`,
    `export const PAGE_ICON = ${JSON.stringify(readFileSync(`${FOLDER}/icon.svg`, 'utf8'))}`,
    '',
  ].join('\n')
}
