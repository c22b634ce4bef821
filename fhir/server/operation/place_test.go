package operation

import (
	"math/rand/v2"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestPlacesAreThePathsOfNodes(t *testing.T) {
	r, err := fhir.ParseResource([]byte(`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient","name":[{"given":["a","b"]},{"given":["c"]},{"family":"x"}],"address":[{"line":["1"]},{"line":["2","3"]}]}},
		{"resource":{"resourceType":"Patient","contained":[{"resourceType":"Basic","id":"b"},{"code":[[1,2],[3]]}]}}]}`), fhir.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var nodes []fhir.Node
	var walk func(n fhir.Node)
	walk = func(n fhir.Node) {
		nodes = append(nodes, n)
		for c := range n.Children() {
			walk(c)
		}
	}
	walk(r.Node)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	var p places
	for round := range 20 {
		for _, n := range nodes {
			if got := p.path(n); got != n.Path() {
				t.Fatalf("round %d: %s, want %s", round, got, n.Path())
			}
		}
		rnd.Shuffle(len(nodes), func(i, k int) { nodes[i], nodes[k] = nodes[k], nodes[i] })
	}
	if got := p.path(fhir.Node{}); got != "" {
		t.Errorf("no node: %q", got)
	}
}
