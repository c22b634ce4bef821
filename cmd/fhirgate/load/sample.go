package load

import _ "embed"

// sampleJSON is a transaction of synthetic records: six patients with encounters, observations, conditions, medications and documents, their
// practitioners and an organization. Every entry is a PUT of an id that begins with "sample-", so that loading it again changes nothing.
//
//go:embed sample.json
var sampleJSON []byte

// sample returns the embedded sample as an input.
func sample() file {
	return file{path: "the sample", size: int64(len(sampleJSON)), content: sampleJSON}
}
