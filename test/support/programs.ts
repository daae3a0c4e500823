// Programs to run as processes: those that ship, as `compose/build.ts` makes them of this tree before the tests, and those of the tests.
import { readFileSync } from 'node:fs'
import { buildSync } from 'esbuild'

const ROOT = new URL('../../', import.meta.url).pathname

/** The file to give to Node, whatever the working directory. */
export const builtProgram = (name: 'proxy' | 'healer' | 'sample-app') => `${ROOT}dist/${name}.mjs`

/** The flags that the program's image gives to Node, but those that confine it, which Node 20 does not know. */
export function imageFlags(name: 'proxy' | 'healer'): readonly string[] {
  const dockerfile = readFileSync(`${ROOT}compose/Dockerfile`, 'utf8')
  const [, entrypoint] = new RegExp(`^ENTRYPOINT (\\[.*"/app/${name}\\.mjs"\\])$`, 'm').exec(dockerfile) ?? []
  if (entrypoint === undefined) throw new Error(`compose/Dockerfile does not say how ${name} is started`)
  return (JSON.parse(entrypoint) as readonly string[]).slice(1, -1).filter((flag) => !/^--(?:permission$|allow-)/.test(flag))
}

/** Compiles a program below `test/`, so that a test that starts it many times need not have it compiled each time. */
export function compiled(path: string): string {
  const outfile = `${ROOT}dist/test/${path.replace(/\.ts$/, '.mjs')}`
  buildSync({
    entryPoints: [`${ROOT}test/${path}`],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
  })
  return outfile
}

/** The command that runs Node with these arguments and without what tap adds to every child's environment: its own hooks, to load. */
export const plainNode = (...args: readonly string[]) => ['env', ['-u', 'NODE_OPTIONS', process.execPath, ...args]] as const
