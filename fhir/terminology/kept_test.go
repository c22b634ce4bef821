package terminology

import (
	"fmt"
	"strings"
	"testing"
)

func TestKeptExpansionsAreBounded(t *testing.T) {
	var v kept
	keep := func(name string, codes int) {
		from := question{valueSetType, name}
		v.keep(from, keptWork{codeSet{codes: make([][2]string, codes)}, map[question]Version{from: {}}})
		if v.size > maxKept {
			t.Fatalf("%d codes are kept", v.size)
		}
	}
	for i := range 30 {
		keep(fmt.Sprint(i), maxKept/10)
	}
	if len(v.works) == 0 {
		t.Error("nothing is kept")
	}
	n := len(v.works)
	keep("29", 7)
	keep("29", 8)
	if size := (n-1)*(maxKept/10+2) + 8 + 2; len(v.works) != n || v.size != size {
		t.Errorf("%d works of %d codes are kept; want %d of %d", len(v.works), v.size, n, size)
	}
	keep("huge", maxKept+1)
	if _, ok := v.find(question{valueSetType, "huge"}); ok || len(v.works) != n {
		t.Errorf("%d works are kept, the huge one too: %v", len(v.works), ok)
	}
	// Names count as well: nobody fills the memory with value sets that are not known.
	long := strings.Repeat("x", maxKept)
	for i := range 100 {
		keep(fmt.Sprint(i, long), 0)
	}
	if n := len(v.works); n > 32 {
		t.Errorf("%d long names are kept", n)
	}
}
