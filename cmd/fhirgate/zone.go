package main

import (
	"context"
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // zones are known on machines without a time zone database, as in a container of nothing but the binary

	"github.com/fhirgate/fhirgate/storage"
)

// zone is a flag's value: a time zone of the IANA database by its name, or "" for what the data is indexed in.
type zone struct {
	name     string
	location *time.Location
}

// Set implements pflag.Value.
func (z *zone) Set(text string) error {
	l, err := time.LoadLocation(text)
	if err != nil || text == "" || text == "Local" {
		return errors.New("it must be a name of the IANA time zone database, for example Europe/Berlin or UTC")
	}
	*z = zone{text, l}
	return nil
}

// String implements pflag.Value.
func (z *zone) String() string { return z.name }

// Type implements pflag.Value.
func (z *zone) Type() string { return "zone" }

// The zone is part of the index: a stored date without an offset is found by the moments it covers in that zone. So the store keeps its name.
const (
	// zoneMeta names the zone that the data is indexed in; without it that is UTC.
	zoneMeta = "zone"
	// zonePendingMeta names the zone that a reindex works towards. It is there from the reindex' begin to its end: until then part of the
	// index is in either zone.
	zonePendingMeta = "zone-pending"
)

// zoneOf returns the zone that the data is indexed in and the one of an unfinished reindex, "" where there is none.
func zoneOf(ctx context.Context, r storage.Reader) (indexed, pending string, err error) {
	read := func(name, absent string) (string, error) {
		v, err := r.Meta(ctx, name)
		if errors.Is(err, storage.ErrNotFound) {
			return absent, nil
		}
		return string(v), err
	}
	if indexed, err = read(zoneMeta, "UTC"); err == nil {
		pending, err = read(zonePendingMeta, "")
	}
	return indexed, pending, err
}

// settleZone returns the zone to serve in: the one that the data is indexed in. Where nothing is stored yet that becomes the wanted one. A
// wanted zone that differs, and an unfinished reindex, are errors that say what to do.
func settleZone(ctx context.Context, store storage.Store, wanted zone) (zone, error) {
	var found string
	empty := false
	err := store.View(ctx, func(r storage.Reader) error {
		indexed, pending, err := zoneOf(ctx, r)
		if err != nil {
			return err
		}
		if pending != "" {
			return fmt.Errorf("the data is half indexed in the time zone %s, because a reindex was interrupted: run `fhirgate reindex --zone %s` on it", pending, pending)
		}
		found = indexed
		if wanted.name == "" || wanted.name == indexed {
			return nil
		}
		counts, err := r.Counts(ctx)
		empty = len(counts) == 0
		if err == nil && !empty {
			err = fmt.Errorf("the data is indexed in the time zone %s, but --zone is %s: run `fhirgate reindex --zone %s` on it while no server uses it, or omit --zone",
				indexed, wanted.name, wanted.name)
		}
		return err
	})
	if err == nil && empty {
		found = wanted.name
		err = store.Update(ctx, func(tx storage.Tx) error { return tx.SetMeta(ctx, zoneMeta, []byte(found)) })
	}
	if err != nil {
		return zone{}, err
	}
	return storedZone(found)
}

// beginZone returns the zone to index all data in: the wanted one, else that of a reindex that was interrupted, else the data's own. Where
// that is not the data's own, the store can't be served from until endZone.
func beginZone(ctx context.Context, store storage.Store, wanted zone) (zone, error) {
	var indexed, pending string
	err := store.View(ctx, func(r storage.Reader) (err error) {
		indexed, pending, err = zoneOf(ctx, r)
		return err
	})
	if err != nil {
		return zone{}, err
	}
	to := wanted.name
	if to == "" {
		to = pending
	}
	if to == "" {
		to = indexed
	}
	if to != pending && (to != indexed || pending != "") {
		err = store.Update(ctx, func(tx storage.Tx) error { return tx.SetMeta(ctx, zonePendingMeta, []byte(to)) })
	}
	if err != nil {
		return zone{}, err
	}
	return storedZone(to)
}

// endZone records that all data is indexed in z.
func endZone(ctx context.Context, store storage.Store, z zone) error {
	return store.Update(ctx, func(tx storage.Tx) error {
		if err := tx.SetMeta(ctx, zonePendingMeta, nil); err != nil {
			return err
		}
		return tx.SetMeta(ctx, zoneMeta, []byte(z.name))
	})
}

// storedZone returns the zone of a stored name.
func storedZone(name string) (zone, error) {
	var z zone
	if err := z.Set(name); err != nil {
		return zone{}, fmt.Errorf("the data is indexed in the time zone %q, which this release does not know: run `fhirgate reindex --zone UTC` on it", name)
	}
	return z, nil
}
