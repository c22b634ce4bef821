package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
)

// TestCheckTellsWhyResourcesWereNotCompared checks data that a server refuses to use.
func TestCheckTellsWhyResourcesWereNotCompared(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s, err := embedded.Open(data, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Update(t.Context(), func(tx storage.Tx) error { return tx.SetMeta(t.Context(), zonePendingMeta, []byte("Europe/Berlin")) })
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := execute(t, "check", "--data", data)
	if status != 1 || !strings.Contains(stdout, "run `fhirgate reindex --zone Europe/Berlin`") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
}

// TestAReportIsShownWhateverEndsTheCheck gives reports with faults, and errors that have ids.
func TestAReportIsShownWhateverEndsTheCheck(t *testing.T) {
	ids := fhir.NewError(fhir.KindInternal, fhir.IssueException, fhir.IDStorageDamaged, "a file is damaged")
	ids.Key, ids.Err = fhir.Key{Type: "SearchParameter", ID: "secret"}, errors.New("secret")
	for name, c := range map[string]struct {
		faults          []string
		unopened, ended error
		shown, want     string
	}{
		"nothing":     {},
		"faults":      {faults: []string{"one", "two"}, shown: "one\ntwo\n", want: "not as it should be"},
		"interrupted": {faults: []string{"one"}, ended: context.Canceled, shown: "one\n", want: "interrupted"},
		"ended":       {faults: []string{"one"}, ended: errors.New("why"), shown: "one\n", want: "did not end, and what it found until then is above: why"},
		"ended early": {ended: errors.New("why"), want: "did not end: why"},
		"unopened":    {unopened: ids, shown: "could not use the data: a file is damaged\n", want: "not as it should be"},
	} {
		var out bytes.Buffer
		err := report(&program{stdout: &out}, embedded.Checked{Faults: c.faults}, c.unopened, c.ended)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v", name, err)
		}
		if !strings.HasSuffix(out.String(), c.shown) || c.shown == "" && out.Len() > 0 || strings.Contains(out.String(), "secret") {
			t.Errorf("%s: shown is %q", name, out.String())
		}
	}
}
