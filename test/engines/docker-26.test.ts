// The checks of support/ on Docker Engine 26.1.
import { tryEngine } from './support/try-engine.ts'

await tryEngine('Docker Engine 26.1')
