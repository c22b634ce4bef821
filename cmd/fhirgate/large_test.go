package main

import (
	"fmt"
	"strings"
	"testing"
)

// patients returns a transaction that creates n Patients, each with a text of some length.
func patients(n, text int) string {
	var b strings.Builder
	b.WriteString(`{"resourceType":"Bundle","type":"transaction","entry":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"resource":%s,"request":{"method":"PUT","url":"Patient/p%d"}}`, heavy(fmt.Sprint("p", i), strings.Repeat("x", text)), i)
	}
	b.WriteString("]}")
	return b.String()
}

func TestLargeBundlesWork(t *testing.T) {
	p := startServer(t, freshData(t))
	must(t, 200, "POST", p.base, patients(5000, 100))
	if n := count(t, p, "Patient"); n != 5000 {
		t.Fatalf("%d patients", n)
	}
	if testing.Short() {
		t.Skip("the bundle of 50 MB is left out")
	}
	must(t, 200, "POST", p.base, patients(50, 1<<20))
	if r := must(t, 200, "GET", p.base+"/Patient/p49", ""); r.version() != 2 || len(r.body) < 1<<20 {
		t.Fatalf("version %d of %d bytes", r.version(), len(r.body))
	}
}

func TestPastTheLimitsComes413(t *testing.T) {
	p := startServer(t, freshData(t), "--max-body", "10KiB", "--max-bundle-entries", "5", "--max-depth", "20")
	must(t, 200, "POST", p.base, patients(5, 10))
	for name, body := range map[string]string{
		"entries": patients(6, 10),
		"bytes":   patients(1, 11_000),
		"depth":   `{"resourceType":"Patient","extension":` + strings.Repeat(`[{"extension":`, 20) + "1" + strings.Repeat("}]", 20) + "}",
	} {
		if r := must(t, 413, "POST", p.base, body); !strings.Contains(string(r.body), "OperationOutcome") {
			t.Errorf("%s: %s", name, r.body)
		}
	}
	if n := count(t, p, "Patient"); n != 5 {
		t.Fatalf("%d patients", n)
	}
}
