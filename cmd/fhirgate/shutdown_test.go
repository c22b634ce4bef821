package main

import (
	"net/http"
	"syscall"
	"testing"
	"time"
)

// TestTheShutdownDelayServesOn holds that a server that was told to stop says so at /readyz and serves what still comes, until a second signal.
func TestTheShutdownDelayServesOn(t *testing.T) {
	p := startServer(t, freshData(t), "--shutdown-delay", patience.String())
	must(t, 200, "GET", p.root+"/readyz", "")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		res, err := client.Get(p.root + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is still ready")
		}
	}
	must(t, 200, "GET", p.root+"/healthz", "")
	must(t, 201, "PUT", p.base+"/Patient/late", `{"resourceType":"Patient","id":"late"}`)
	if status := p.stop(t); status != 0 {
		t.Errorf("status %d: %s", status, p.stderr)
	}
}
