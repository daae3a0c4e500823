// Writes the files that are made from the code. A test fails where one of them is not what this would write.
import { writeFileSync } from 'node:fs'
import { renderGeneratedFiles } from './generated-files.ts'

for (const [path, text] of renderGeneratedFiles()) writeFileSync(path, text)
