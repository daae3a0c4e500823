// What is in an image, as a registry's reader would see it: its files from a container that is never started, and its configuration.
import { docker, run } from './composition.ts'

export type ImageFile = { readonly path: string; readonly mode: string; readonly owner: string }

/** Everything in `image` but the places that the Engine itself makes in every container; `mode` as `ls` shows it, `owner` as `UID/GID`. */
export async function filesOf(image: string): Promise<readonly ImageFile[]> {
  const id = (await docker('create', image)).trim()
  try {
    const listed = await run('bash', [
      '-c',
      'set -o pipefail; docker export "$1" | tar --list --verbose --numeric-owner --full-time --utc',
      'bash',
      id,
    ])
    return listed.split('\n').flatMap((line) => {
      const [mode = '', owner = '', , , , path = ''] = line.split(/\s+/)
      return path === '' || OF_THE_ENGINE.test(path) ? [] : [{ path: `/${path.replace(/\/$/, '')}`, mode, owner }]
    })
  } finally {
    await docker('rm', id)
  }
}

const OF_THE_ENGINE = /^(?:\.dockerenv|dev|proc|sys|etc\/(?:hostname|hosts|mtab|resolv\.conf))(?:\/|$)/

export type ImageConfiguration = {
  readonly User: string
  readonly Labels: Readonly<Record<string, string>>
  readonly Healthcheck: { readonly Test: readonly string[] }
}

export async function configurationOf(image: string): Promise<ImageConfiguration> {
  const [{ Config } = { Config: undefined }] = JSON.parse(await docker('image', 'inspect', image))
  return Config
}
