package xml

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// shuffled appends n with the members of all its objects in a random order, with white space and names that are spelled with escapes.
func shuffled(dst []byte, n fhir.Node, rnd *rand.Rand) []byte {
	switch n.Kind() {
	case fhir.Array:
		dst = append(dst, '[')
		for c := range n.Children() {
			if dst[len(dst)-1] != '[' {
				dst = append(dst, ',', '\n')
			}
			dst = shuffled(dst, c, rnd)
		}
		return append(dst, ']')
	case fhir.Object:
		var members []fhir.Node
		for c := range n.Children() {
			members = append(members, c)
		}
		rnd.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		dst = append(dst, '{')
		for i, c := range members {
			if i > 0 {
				dst = append(dst, " ,\t"...)
			}
			name := fhir.AppendString(nil, c.Name())
			if rnd.IntN(20) == 0 {
				name = bytes.Replace(name, []byte("e"), []byte(`\u0065`), 1)
			}
			dst = shuffled(append(append(dst, name...), " : "...), c, rnd)
		}
		return append(dst, " }"...)
	}
	return append(dst, n.Raw()...)
}

// TestTheOrderOfMembersChangesNothing holds the XML of an object to be the same whatever the order of its members: it is that of the definitions.
func TestTheOrderOfMembersChangesNothing(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, file := range corpustest.Files(t, "r4-examples/*.json") {
		src := corpustest.Read(t, file)
		r := resourceOf(t, src)
		for _, opt := range []Options{{}, {Pretty: true}} {
			want, err := r4.AppendXML(nil, src, opt)
			if err != nil {
				t.Fatal(err)
			}
			other := shuffled(nil, r.Node, rnd)
			got, err := r4.AppendXML([]byte("before"), other, opt)
			if err != nil {
				t.Fatalf("%s, seed %d: %v", filepath.Base(file), seed, err)
			}
			if got = got[len("before"):]; !bytes.Equal(got, want) {
				t.Fatalf("%s, seed %d: %s", filepath.Base(file), seed, firstDifference(got, want))
			}
		}
	}
}
