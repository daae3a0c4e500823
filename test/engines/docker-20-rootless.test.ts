// The checks of support/ on Docker Engine 20.10, rootless.
import { tryEngine } from './support/try-engine.ts'

await tryEngine('Docker Engine 20.10, rootless')
