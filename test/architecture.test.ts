// docs/architecture.md is held to the code: what it names exists, no part is missing from it, and its rules of who may import
// what hold for every file. The rules are read from the page itself.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import t from 'tap'

const page = readFileSync('docs/architecture.md', 'utf8')

type PurePart = { readonly folder: string; readonly except: readonly string[]; readonly mayImport: readonly string[] }
type KnownTo = { readonly name: string; readonly files: readonly string[] }
type Rules = {
  /** Folders that import nothing of the repository but themselves. */
  readonly programs: readonly string[]
  readonly pure: readonly PurePart[]
  readonly packages: readonly KnownTo[]
}

/** The contents of files by their path. */
type Files = ReadonlyMap<string, string>

/** What `text` imports, in the words of its own. Knows `import`, `export … from`, `import(…)` and `require(…)`. */
function importsOf(text: string): string[] {
  const patterns = [
    /^\s*(?:import|export|\})[^'"\n]*\bfrom\s+['"]([^'"]+)['"]/gm,
    /^\s*import\s+['"]([^'"]+)['"]/gm,
    /\b(?:import|require)\(\s*['"]([^'"]+)['"]/g,
  ]
  return patterns.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[1] ?? ''))
}

/** The path of a file of the repository's own; `undefined` for Node's modules and packages. */
const ownPath = (file: string, specifier: string) =>
  specifier.startsWith('.') ? join(dirname(file), specifier) : specifier.startsWith('/') ? specifier : undefined

/** A package's name without the path into it. */
const packageName = (specifier: string) => /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
const isWithin = (folder: string, path: string) => path.startsWith(`${folder}/`)

/** A sentence for each import that breaks a rule. */
function brokenRules(files: Files, { programs, pure, packages }: Rules): string[] {
  return [...files].flatMap(([file, text]) =>
    importsOf(text).flatMap((specifier) => {
      const own = ownPath(file, specifier)
      const program = programs.find((folder) => isWithin(folder, file))
      const part = pure.find(({ folder, except }) => isWithin(folder, file) && !except.includes(file))
      const known = packages.find(({ name }) => name === packageName(specifier))
      if (own !== undefined)
        return program && !isWithin(program, own) ? [`${file} imports ${own}, which is not of ${program}`] : []
      const impure = part && !part.mayImport.includes(specifier)
      return [
        ...(impure ? [`${file} imports ${specifier}, but ${part.folder} is pure`] : []),
        ...(program && known && !known.files.includes(file)
          ? [`${file} imports ${specifier}, which only ${known.files.join(' and ')} knows`]
          : []),
      ]
    }),
  )
}

const spans = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '')

/** The rows of the table whose first heading is `heading`, each cell as what stands in backquotes in it. */
function tableOf(heading: string): string[][][] {
  const start = page.indexOf(`\n| ${heading} |`)
  if (start < 0) throw new Error(`there is no table “${heading}”`)
  const rows = (page.slice(start + 1).split('\n\n')[0] ?? '').trim().split('\n').slice(2)
  return rows.map((row) => row.split('|').slice(1, -1).map(spans))
}

function readRules(): Rules {
  const sentence = /^(.*) import only their own code/m.exec(page)?.[1] ?? ''
  return {
    programs: spans(sentence).map((folder) => folder.replace(/\/$/, '')),
    pure: tableOf('pure part').flatMap(([folders, except = [], mayImport = []]) =>
      (folders ?? []).map((folder) => ({ folder, except, mayImport })),
    ),
    packages: tableOf('package').flatMap(([names, where = []]) => (names ?? []).map((name) => ({ name, files: where }))),
  }
}

const foldersIn = (folder: string) =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [`${folder}/${entry.name}`] : []))

function readSources(folders: readonly string[]): Files {
  const paths = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name.replaceAll('\\', '/'))),
  )
  return new Map(paths.filter((path) => path.endsWith('.ts')).map((path) => [path, readFileSync(path, 'utf8')]))
}

const rules = readRules()

await t.test('every path on the page exists', async (t) => {
  const prose = page.replace(/^```[\s\S]*?^```$/gm, '')
  const paths = spans(prose).filter((span) => /^[\w.-]+(?:\/[\w.-]+)*\/?$/.test(span) && /\/|\.(?:ts|md|ya?ml|json)$/.test(span))
  t.ok(paths.length > 20, `found ${paths.length}`)
  for (const path of paths) t.ok(existsSync(path), path)
})

await t.test('every part of the proxy and the healer is on the page, and every file beside their parts', async (t) => {
  const named = spans(page)
  for (const program of ['proxy', 'healer']) {
    const files = readdirSync(program).flatMap((name) => (name.endsWith('.ts') ? [`${program}/${name}`] : []))
    for (const path of [...foldersIn(program), ...files]) t.ok(named.includes(path), path)
  }
})

await t.test('the page has its rules', async (t) => {
  t.same(rules.programs, ['proxy', 'healer', 'sample-app'])
  t.same(
    rules.pure.map(({ folder }) => folder),
    [
      'proxy/request',
      'proxy/policy',
      'proxy/show',
      'proxy/suggest',
      'healer/health',
      'healer/settings',
      'healer/alert/receivers',
    ],
  )
  t.same(rules.packages, [
    { name: 'dockerode', files: ['healer/docker/dockerode.ts'] },
    { name: 'http-proxy', files: ['proxy/engine/open-ended.ts'] },
    { name: 're2js', files: ['healer/settings/pattern.ts'] },
    {
      name: 'yaml',
      files: [
        'healer/alert/alerts-file.ts',
        'healer/export/compose-file.ts',
        'healer/export/render.ts',
        'proxy/policy/parse-policy.ts',
        'proxy/policy/policy-lines.ts',
      ],
    },
  ])
  for (const { folder, mayImport } of rules.pure) {
    const reaching = mayImport.filter((name) => name.startsWith('node:') && name !== 'node:crypto')
    t.same(reaching, [], `${folder} reaches neither files nor sockets`)
    t.notOk(mayImport.includes('undici'), folder)
  }
})

await t.test('every import keeps the rules', async (t) => {
  const sources = readSources(['proxy', 'healer', 'sample-app', 'compose', 'test'])
  t.ok(sources.has('proxy/serve/handle.ts') && sources.has('healer/main.ts'))
  t.same(importsOf(sources.get('healer/settings/nearest.ts') ?? ''), ['leven'])
  t.same(brokenRules(sources, rules), [])
})

await t.test('no permission is given that nobody needs', async (t) => {
  const sources = readSources(['proxy', 'healer'])
  for (const { folder, except, mayImport } of rules.pure) {
    const used = [...sources].flatMap(([file, text]) =>
      isWithin(folder, file) && !except.includes(file) ? importsOf(text).filter((name) => !ownPath(file, name)) : [],
    )
    t.same([...new Set(used)].sort(), [...mayImport].sort(), folder)
  }
})

await t.test('a made-up violation of each rule is found, however it is written', async (t) => {
  for (const [file, text, sentence] of [
    ['proxy/x.ts', "import { a } from '../healer/a.ts'", 'proxy/x.ts imports healer/a.ts, which is not of proxy'],
    ['proxy/policy/x.ts', "import '../../compose/a.ts'", 'proxy/policy/x.ts imports compose/a.ts, which is not of proxy'],
    ['proxy/x.ts', "const a = await import('../sample-app/a.ts')", 'proxy/x.ts imports sample-app/a.ts, which is not of proxy'],
    ['proxy/x.ts', "import a from './../proxy-too/a.ts'", 'proxy/x.ts imports proxy-too/a.ts, which is not of proxy'],
    ['healer/x.ts', "import type { A } from '../proxy/a.ts'", 'healer/x.ts imports proxy/a.ts, which is not of healer'],
    [
      'healer/loop/x.ts',
      "import {\n  a,\n} from '../../test/a.ts'",
      'healer/loop/x.ts imports test/a.ts, which is not of healer',
    ],
    ['sample-app/x.ts', "export * from '../healer/a.ts'", 'sample-app/x.ts imports healer/a.ts, which is not of sample-app'],
    [
      'proxy/request/x.ts',
      "import { readFileSync } from 'node:fs'",
      'proxy/request/x.ts imports node:fs, but proxy/request is pure',
    ],
    ['proxy/request/x.ts', "import 'node:crypto'", 'proxy/request/x.ts imports node:crypto, but proxy/request is pure'],
    [
      'proxy/policy/x.ts',
      "import { open } from 'node:fs/promises'",
      'proxy/policy/x.ts imports node:fs/promises, but proxy/policy is pure',
    ],
    ['proxy/show/x.ts', 'import { request } from "undici"', 'proxy/show/x.ts imports undici, but proxy/show is pure'],
    ['healer/health/x.ts', "import http from 'node:http'", 'healer/health/x.ts imports node:http, but healer/health is pure'],
    [
      'healer/settings/x.ts',
      "const net = require('node:net')",
      'healer/settings/x.ts imports node:net, but healer/settings is pure',
    ],
    [
      'healer/loop/x.ts',
      "import D from 'dockerode/lib/x.js'",
      'healer/loop/x.ts imports dockerode/lib/x.js, which only healer/docker/dockerode.ts knows',
    ],
    [
      'proxy/serve/x.ts',
      "import { parse } from 'yaml'",
      'proxy/serve/x.ts imports yaml, which only healer/alert/alerts-file.ts and healer/export/compose-file.ts and healer/export/render.ts and proxy/policy/parse-policy.ts and proxy/policy/policy-lines.ts knows',
    ],
  ] as const)
    t.same(brokenRules(new Map([[file, text]]), rules), [sentence])
})

await t.test('what the rules allow is left alone', async (t) => {
  const files = new Map([
    [
      'proxy/policy/a.ts',
      "import { createHash } from 'node:crypto'\nimport * as z from 'zod'\nimport { b } from '../request/b.ts'",
    ],
    ['proxy/policy/load-policy.ts', "import { readFile } from 'node:fs/promises'"],
    ['proxy/engine/a.ts', "import { Pool } from 'undici'"],
    ['healer/settings/environment.ts', "import { readFileSync } from 'node:fs'"],
    ['healer/docker/dockerode.ts', "import Dockerode from 'dockerode'"],
    ['compose/a.ts', "import { parse } from 'yaml'\nimport { b } from '../proxy/b.ts'"],
    ['test/a.test.ts', "import { b } from '../proxy/b.ts'\nimport { c } from '../healer/c.ts'"],
  ])
  t.same(brokenRules(files, rules), [])
})
