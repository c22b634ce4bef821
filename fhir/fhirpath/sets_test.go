package fhirpath

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// TestLargeSetsAnswerAsSmallOnes holds the look-up by hash, which large sets use, to the comparison of every pair.
func TestLargeSetsAnswerAsSmallOnes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := parsed(t, `{"resourceType":"Basic","x":[{"a":1.0,"b":["x",{"c":null}]},{"b":["x",{"c":null}],"a":1.00},{"a":2},[1],[1.0],"x"]}`)
	var pool []Item
	for n := range r.Get("x").Children() {
		pool = append(pool, Item{node: n})
	}
	for _, s := range []string{"10", "10:00", "10:00:00", "10:00:00.0", "10:00:00.5"} {
		d, err := fhir.ParsePartialTime(s)
		if err != nil {
			t.Fatal(err)
		}
		pool = append(pool, TimeItem(d))
	}
	for i := range int64(4) {
		pool = append(pool, IntegerItem(i), DecimalItem(fhir.FromInt(i)), StringItem(fmt.Sprint(i)), BooleanItem(i%2 == 0), QuantityItem(Quantity{Value: fhir.FromInt(i), Unit: "1"}),
			QuantityItem(Quantity{Value: fhir.FromInt(i * 1000), Unit: "mg"}), QuantityItem(Quantity{Value: fhir.FromInt(i), Unit: "g"}))
	}
	for _, s := range []string{"2024", "2024-01", "2024-01-01", "2024-01-01T10:00:00", "2024-01-01T10:00Z", "2024-01-01T11:00+01:00", "2024-01-01T10:00:00Z", "2024-01-01T11:00:00+01:00", "2024-01-01T10:00:00.0Z"} {
		d, err := fhir.ParsePartial(s)
		if err != nil {
			t.Fatal(err)
		}
		pool = append(pool, DateTimeItem(d), DateItem(d))
	}
	m := &machine{prog: &Program{limits: Limits{}.withDefaults()}, env: noEnv}
	for range 200 {
		n := manyItems + rnd.IntN(40)
		items := make([]Item, n)
		for i := range items {
			items[i] = pool[rnd.IntN(len(pool))]
		}
		var want []Item
		for i := range items {
			if !m.contains(want, &items[i]) {
				want = append(want, items[i])
			}
		}
		m.stack = append(m.stack[:0], items...)
		if err := m.dedupe(0, 0); err != nil {
			t.Fatal(err)
		}
		if len(m.stack) != len(want) {
			t.Fatalf("%d distinct items by hash, %d by comparison", len(m.stack), len(want))
		}
		// The same items in rounds, as repeat() adds them.
		m.stack = m.stack[:0]
		rounds := distinct{m: m}
		for left := items; len(left) > 0; {
			k := 1 + rnd.IntN(len(left))
			m.stack = append(m.stack, left[:k]...)
			left = left[k:]
			if err := rounds.add(0); err != nil {
				t.Fatal(err)
			}
		}
		if len(m.stack) != len(want) {
			t.Fatalf("%d distinct items in rounds, %d by comparison", len(m.stack), len(want))
		}
		for i := range want {
			if !m.same(&m.stack[i], &want[i]) && m.stack[i] != want[i] {
				t.Fatalf("item %d is %v in rounds, %v by comparison", i, m.stack[i], want[i])
			}
		}
		set := m.set(items)
		for i := range pool {
			if set.has(&pool[i]) != m.contains(items, &pool[i]) {
				t.Fatalf("item %v", pool[i])
			}
		}
	}
}
