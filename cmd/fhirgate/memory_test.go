package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheHeapGrowsUnderWorkAndShrinksAtRest(t *testing.T) {
	const mb = 1 << 20
	c := collecting{room: 320 * mb}
	var allocated uint64
	step := func(rate, live uint64, percent int, free bool) {
		t.Helper()
		allocated += rate
		if p, f := c.tick(allocated, live); p != percent || f != free {
			t.Errorf("%d MB allocated, %d MB live: %d %v, want %d %v", rate/mb, live/mb, p, f, percent, free)
		}
	}
	step(5*mb, 40*mb, 100, false)    // a start
	step(500*mb, 80*mb, 300, false)  // work on a small heap
	step(500*mb, 20*mb, 400, false)  // never more than five times what lives
	step(500*mb, 200*mb, 100, false) // a large heap as Go does
	step(500*mb, 0, 100, false)      // before the first collection
	step(5*mb, 80*mb, 100, false)    // little to do
	for range restTicks - 1 {
		step(0, 80*mb, 100, false)
	}
	step(0, 80*mb, 100, true)
	for range 2 * restTicks {
		step(mb/2, 80*mb, 100, false) // rest: nothing more to give back
	}
	step(40*mb, 80*mb, 300, false)
	for range restTicks - 1 {
		step(0, 80*mb, 100, false)
	}
	step(0, 80*mb, 100, true)
}

func TestTheMachineHasMemory(t *testing.T) {
	if n := machineMemory(); n < 64<<20 {
		t.Errorf("%d bytes", n)
	}
}

func TestAContainersMemoryIsItsLimit(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]uint64{"536870912\n": 512 << 20, "max\n": 1 << 30, "9223372036854771712\n": 1 << 30, "": 1 << 30} {
		name := filepath.Join(dir, "memory.max")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if n := leastOf(1<<30, filepath.Join(dir, "none"), name); n != want {
			t.Errorf("%q: %d, want %d", content, n, want)
		}
	}
}
