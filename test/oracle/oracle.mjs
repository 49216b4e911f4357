// oracle.mjs: haystack-core reads and writes Haystack's formats for python/tests/test_oracle.py.
//
// Standard input is JSON lines, each answered by one on standard output:
//
//   {"codec": "zinc", "text": "…"}     what haystack-core reads     → {"hayson": …}
//   {"codec": "zinc", "hayson": …}     what haystack-core writes    → {"text": "…"}
//
// or {"error": "…"}.  Codecs: hayson, zinc, trio (a list of dicts), and v3, which
// haystack-core writes only.

import { createInterface } from 'node:readline'
import { HDict, TrioReader, TrioWriter, ZincReader, makeValue } from 'haystack-core'

const readers = {
	hayson: (text) => makeValue(JSON.parse(text)),
	zinc: (text) => ZincReader.readValue(text),
	trio: (text) => TrioReader.readAllDicts(text),
}

const writers = {
	hayson: (value) => JSON.stringify(value),
	zinc: (value) => (value === null ? 'N' : value.toZinc()),
	trio: (records) => {
		const writer = new TrioWriter()
		for (const record of records) {
			writer.addDict(HDict.make(record))
		}
		return writer.toTrio()
	},
	v3: (value) => JSON.stringify(value === null ? null : value.toJSONv3()),
}

// Returns the answer to a question.
function answer({ codec, text, hayson }) {
	try {
		if (text !== undefined) {
			return { hayson: readers[codec](text) }
		}
		const value = codec === 'trio' ? hayson.map((record) => makeValue(record)) : makeValue(hayson)
		return { text: writers[codec](value) }
	} catch (error) {
		return { error: String(error.message) }
	}
}

for await (const line of createInterface({ input: process.stdin })) {
	process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + '\n')
}
