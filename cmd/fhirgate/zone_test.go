package main

import (
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/storage"
	"github.com/fhirgate/fhirgate/storage/embedded"
	"github.com/fhirgate/fhirgate/storage/mongodb/mongotest"
)

// found reports whether a search on p finds anything.
func found(t *testing.T, p *process, query string) bool {
	t.Helper()
	r := must(t, 200, "GET", p.base+"/"+query, "")
	return strings.Contains(string(r.body), `"entry"`)
}

func TestTheZoneIsKeptInMongoDB(t *testing.T) {
	uri := mongotest.URIOfKilled(t)
	p := startServer(t, "", append(inMongoDB(uri), "--zone", "Asia/Tokyo")...)
	must(t, 201, "PUT", p.base+"/Encounter/a", `{"resourceType":"Encounter","id":"a","status":"finished","class":{"code":"AMB"},"period":{"start":"2024-06-30","end":"2024-06-30"}}`)
	p.stop(t)
	status, _, said := execute(t, append([]string{"serve", "--listen", "127.0.0.1:0", "--zone", "UTC"}, inMongoDB(uri)...)...)
	if status != 1 || !strings.Contains(said, "indexed in the time zone Asia/Tokyo") || strings.Count(said, "\n") != 1 {
		t.Errorf("status %d: %s", status, said)
	}
	if status, _, fault := execute(t, "reindex", "--mongodb", uri, "--zone", "UTC"); status != 0 {
		t.Fatal(fault)
	}
	if p = startServer(t, "", inMongoDB(uri)...); found(t, p, "Encounter?date=lt2024-06-29T23:00:00Z") {
		t.Error("the date is not in UTC after a reindex")
	}
}

func TestTheZoneOfDatesWithoutOneIsTheDatas(t *testing.T) {
	const (
		encounter = `{"resourceType":"Encounter","id":"a","status":"finished","class":{"code":"AMB"},"period":{"start":"2024-06-30","end":"2024-06-30"}}`
		// 2024-06-30 begins in Berlin at 22:00 of the day before in UTC.
		evening = "Encounter?date=lt2024-06-29T23:00:00Z"
	)
	data := freshData(t)
	p := startServer(t, data, "--zone", "Europe/Berlin")
	must(t, 201, "PUT", p.base+"/Encounter/a", encounter)
	if !found(t, p, evening) {
		t.Error("the date is not in Berlin's time")
	}
	p.stop(t)

	p = startServer(t, data)
	if !found(t, p, evening) {
		t.Error("the zone was not kept")
	}
	p.stop(t)
	fails(t, "indexed in the time zone Europe/Berlin, but --zone is UTC: run `fhirgate reindex --zone UTC`", "serve", "--listen", "127.0.0.1:0", "--data", data, "--zone", "UTC")

	if status, _, fault := execute(t, "reindex", "--data", data, "--zone", "UTC"); status != 0 {
		t.Fatal(fault)
	}
	p = startServer(t, data, "--zone", "UTC")
	if found(t, p, evening) {
		t.Error("the date is not in UTC after a reindex")
	}
	p.stop(t)
	fails(t, "indexed in the time zone UTC, but --zone is Europe/Berlin", "serve", "--listen", "127.0.0.1:0", "--data", data, "--zone", "Europe/Berlin")
}

func TestAReindexInAnotherZoneMustBeFinished(t *testing.T) {
	data := freshData(t)
	store, err := embedded.Open(data, embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var berlin zone
	if err := berlin.Set("Europe/Berlin"); err != nil {
		t.Fatal(err)
	}
	if _, err := beginZone(t.Context(), store, berlin); err != nil {
		t.Fatal(err)
	}
	if _, err := settleZone(t.Context(), store, zone{}); err == nil || !strings.Contains(err.Error(), "reindex --zone Europe/Berlin") {
		t.Fatal(err)
	}
	z, err := beginZone(t.Context(), store, zone{})
	if err != nil || z.name != berlin.name {
		t.Fatal(z, err)
	}
	if err := endZone(t.Context(), store, z); err != nil {
		t.Fatal(err)
	}
	if z, err = settleZone(t.Context(), store, zone{}); err != nil || z.name != berlin.name {
		t.Fatal(z, err)
	}
	err = store.View(t.Context(), func(r storage.Reader) error {
		indexed, pending, err := zoneOf(t.Context(), r)
		if indexed != "Europe/Berlin" || pending != "" {
			t.Error(indexed, pending)
		}
		return err
	})
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestZonesAreNamesOfTheIANADatabase(t *testing.T) {
	for text, ok := range map[string]bool{"UTC": true, "Europe/Berlin": true, "America/St_Johns": true, "": false, "Local": false, "Berlin": false, "+02:00": false, "../etc/passwd": false} {
		var z zone
		if err := z.Set(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
