// Builds what `bin` and the images run: each program as one file with the packages it uses and nothing else. Beside it, below
// `dist/packages`, what those packages say of themselves: by that a scanner of the image knows them, and their licences stay with them.
// Fails when a program holds another's code.
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const PROGRAMS = ['proxy', 'healer', 'sample-app'] as const

for (const program of PROGRAMS) {
  const { metafile, outputFiles } = await build({
    entryPoints: [`${program}/main.ts`],
    outfile: `dist/${program}.mjs`,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    metafile: true,
    write: false,
    sourcemap: true,
    sourcesContent: false,
    legalComments: 'linked',
    logLevel: 'warning',
    // A program names the files that it was made from; that node_modules is a link elsewhere changes nothing in it.
    preserveSymlinks: true,
    // compose/node-http.cjs says why. dockerode can speak SSH and BuildKit's sessions; the healer does neither, so that code stays out of its image.
    alias: {
      'node:http': './compose/node-http.cjs',
      ...Object.fromEntries(
        ['ssh2', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'].map((name) => [name, './compose/unused.ts']),
      ),
      ...(program === 'proxy' ? { undici: './compose/undici.mjs' } : {}),
    },
    banner: {
      js: [
        "import { createRequire as __createRequire } from 'node:module'",
        'const require = __createRequire(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename',
      ].join('\n'),
    },
  })
  for (const other of PROGRAMS) {
    const foreign = Object.keys(metafile.inputs).find((input) => other !== program && input.startsWith(`${other}/`))
    if (foreign !== undefined) throw new Error(`${program} would ship ${foreign}; the programs never import each other`)
  }
  // Each at once, for someone may be starting what was built before.
  mkdirSync('dist', { recursive: true })
  for (const { path, contents } of outputFiles) {
    const beside = `${path}.${process.pid}`
    writeFileSync(beside, contents)
    renameSync(beside, path)
  }
  const used = Object.entries(metafile.outputs[`dist/${program}.mjs`]?.inputs ?? {}).filter(
    ([, { bytesInOutput }]) => bytesInOutput > 0,
  )
  copyPackages(
    used.map(([input]) => input),
    `dist/packages/${program}`,
  )
}

/** For each package that one of `inputs` is of: its package.json and its licences, below `target`. */
function copyPackages(inputs: readonly string[], target: string): void {
  rmSync(target, { recursive: true, force: true })
  const directories = new Set(inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []))
  for (const directory of directories) {
    const files = readdirSync(directory).filter((file) =>
      /^(?:package\.json|(?:licen[cs]e|copying|notice)(?:[.-].*)?)$/i.test(file),
    )
    for (const file of files) cpSync(join(directory, file), join(target, directory.replace(/^node_modules\//, ''), file))
  }
}
