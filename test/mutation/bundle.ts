// Makes one program of a core's tests, with all that they use: it starts in a third of the time, and that is most of what a mutant costs.
// Runs in the copy of the repository that the mutants are in: `bundle.ts CORE` writes test/mutation/bundle.mjs.
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { CORES } from './cores.ts'

/** Files find what lies beside them by where they are, and not by where the bundle is. */
const keepPlaces: Plugin = {
  name: 'keep-places',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      if (path.includes('node_modules')) return undefined
      const text = await readFile(path, 'utf8')
      return { contents: text.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)), loader: 'ts' }
    })
  },
}

const tests = CORES[process.argv[2] ?? '']?.tests ?? []
await build({
  stdin: { contents: tests.map((file) => `await import('./${file}')`).join('\n'), resolveDir: resolve('.') },
  outfile: 'test/mutation/bundle.mjs',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  plugins: [keepPlaces],
  // What packages written for CommonJS take for granted.
  banner: {
    js: [
      "import { createRequire as __createRequire } from 'node:module'",
      'const require = __createRequire(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename',
    ].join('\n'),
  },
})
