// Builds what `bin` and the images run: each program as one file with the packages it uses and nothing else.
// Fails when a program holds another's code.
import { mkdirSync } from 'node:fs'
import { build } from 'esbuild'
import writeFileAtomic from 'write-file-atomic'

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
    // dockerode can speak SSH and BuildKit's sessions; the healer does neither, so that code stays out of its image.
    alias: Object.fromEntries(
      ['ssh2', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'].map((name) => [name, './compose/unused.ts']),
    ),
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
  for (const { path, contents } of outputFiles) await writeFileAtomic(path, Buffer.from(contents))
}
