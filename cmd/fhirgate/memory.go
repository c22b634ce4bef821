package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// collecting decides, second by second, how often garbage is collected and when memory goes back to the system. A server that is at work may
// let its heap grow to room before it collects, which saves much of the collector's work on a small heap; one that rests keeps what lives.
type collecting struct {
	// room is the size in bytes that the heap may always grow to while there is work.
	room uint64
	// seen is what had been allocated at the last tick, freed the same when memory was last given back.
	seen, freed uint64
	// quiet counts the ticks without work.
	quiet int
}

// The rates of allocation, in bytes a tick, that tell work from rest; the ticks of rest before memory is given back; and what must have been
// allocated since the last time for that to be worth it.
const (
	workRate     = 16 << 20
	restRate     = 1 << 20
	restTicks    = 5
	worthFreeing = 32 << 20
)

// defaultPercent is Go's: the heap doubles between collections.
const defaultPercent = 100

// tick is told how much was allocated since the start of the process and how much of the heap lived at the last collection. It returns the
// percentage to let the heap grow by, and whether to give memory back.
func (c *collecting) tick(allocated, live uint64) (percent int, free bool) {
	rate := allocated - c.seen
	c.seen = allocated
	percent = defaultPercent
	if rate >= workRate && live > 0 && c.room > 2*live {
		percent = int(min(c.room*100/live-100, 400))
	}
	if rate > restRate {
		c.quiet = 0
		return percent, false
	}
	if c.quiet++; c.quiet >= restTicks && allocated-c.freed >= worthFreeing {
		c.freed = allocated
		return percent, true
	}
	return percent, false
}

// collectGarbage applies collecting to this process until ctx ends, and collects harder from three quarters of the machine's or container's
// memory on. GOGC and GOMEMLIMIT in the environment go before either.
func collectGarbage(ctx context.Context) {
	memory := machineMemory()
	c := collecting{room: min(320<<20, memory/8)}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(memory / 4 * 3))
	}
	fixed, percent := os.Getenv("GOGC") != "", defaultPercent
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		metrics.Read(samples)
		want, free := c.tick(samples[0].Value.Uint64(), samples[1].Value.Uint64())
		if want != percent && !fixed {
			percent = want
			debug.SetGCPercent(percent)
		}
		if free {
			runtime.GC() // pools give up what they hold at the second collection
			debug.FreeOSMemory()
		}
	}
}

// machineMemory returns the memory that this process may take in bytes: the machine's, or the container's where that is less, and 1 GB where
// the system does not tell.
func machineMemory() uint64 {
	memory := uint64(1 << 30)
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		var kb uint64
		if _, err := fmt.Sscanf(string(b), "MemTotal: %d kB", &kb); err == nil {
			memory = kb << 10
		}
	}
	return leastOf(memory, "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
}

// leastOf returns the least of a number and those in the files. A file that is missing or holds a word (max) has no number.
func leastOf(n uint64, files ...string) uint64 {
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil {
			if m, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64); err == nil {
				n = min(n, m)
			}
		}
	}
	return n
}

// blockCache returns the size of the embedded store's cache: an eighth of memory, within 32 and 512 MB.
func blockCache() int64 { return int64(min(max(machineMemory()/8, 32<<20), 512<<20)) }
