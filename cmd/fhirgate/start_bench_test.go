package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir/definition/corpustest"
)

// BenchmarkColdStart is the time from the start of the process on an empty folder to the first answered read, and the memory that the process
// then takes. Budgets: 300 ms and 100 MB.
func BenchmarkColdStart(b *testing.B) {
	memory := 0.0
	for b.Loop() {
		p := startServer(b, freshData(b))
		must(b, 404, "GET", p.base+"/Patient/none", "")
		b.StopTimer()
		memory = max(memory, residentMB(b, p.cmd))
		p.kill()
		b.StartTimer()
	}
	b.ReportMetric(memory, "MB")
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/start")
}

// BenchmarkFirstWrite is the time from the start of the process to the first validated, durable write.
func BenchmarkFirstWrite(b *testing.B) {
	for b.Loop() {
		p := startServer(b, freshData(b))
		must(b, 201, "POST", p.base+"/Patient", `{"resourceType":"Patient","active":true}`)
		b.StopTimer()
		p.kill()
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/start")
}

// BenchmarkIdleMemory is the memory of a server with the corpus loaded, ten seconds after the last request.
func BenchmarkIdleMemory(b *testing.B) {
	p := startServer(b, freshData(b))
	cmd := exec.Command(binary, "load", "--server", p.base, corpustest.Path(b, "synthea"))
	cmd.Env = quietEnv()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	for b.Loop() {
		time.Sleep(10 * time.Second)
	}
	b.ReportMetric(residentMB(b, p.cmd), "MB")
}

// residentMB returns what a process takes of the machine's memory.
func residentMB(b *testing.B, cmd *exec.Cmd) float64 {
	b.Helper()
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "status"))
	if err != nil {
		b.Skipf("memory can't be read here: %v", err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if kb, ok := strings.CutPrefix(s.Text(), "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(kb)[0])
			if err != nil {
				b.Fatal(err)
			}
			return float64(n) / 1024
		}
	}
	b.Skip("the system does not tell VmRSS")
	return 0
}
