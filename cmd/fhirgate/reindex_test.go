package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

func TestAReindexThatIsInterruptedSaysWhatToDo(t *testing.T) {
	data := freshData(t)
	startServer(t, data).stop(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	status := run(ctx, program{args: []string{"reindex", "--data", data}, stdout: &stdout, stderr: &stderr})
	if status != 1 || !strings.Contains(stderr.String(), "the reindex was interrupted after 0 resources: run it again") {
		t.Errorf("%d %s", status, stderr.String())
	}
}
