// The checks of support/ on Podman 4.3, rootless.
import { tryEngine } from './support/try-engine.ts'

await tryEngine('Podman 4.3, rootless')
