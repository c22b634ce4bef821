package interaction

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/storage"
)

// What a purge erases beside the compartment: the Binaries that erased resources name, by a reference or the URL of an attachment, in any of their versions.
// Those that a resource which stays names too are left, and listed. The history of the whole store is read once more for that, where there are any.

// attachedType is the type of what is attached.
const attachedType = "Binary"

// maxPurgeAttached bounds the attachments that a purge keeps in mind. Those beyond are listed as what stays.
const maxPurgeAttached = 50_000

// attach notes what resources that are erased name, in all of their versions.
func (p *purging) attach(ctx context.Context, tx storage.Tx, recs []storage.Record, next *purgePosition) error {
	for _, rec := range recs {
		versions := []storage.Record{rec}
		if rec.Version > 1 {
			var err error
			if versions, err = tx.History(ctx, storage.HistoryQuery{Key: rec.Key}); err != nil {
				return err
			}
		}
		for _, v := range versions {
			ids, err := p.attachedTo(v)
			if err != nil {
				return err
			}
			for _, id := range ids {
				i, known := slices.BinarySearch(next.Attached, id)
				switch {
				case known:
				case len(next.Attached) == maxPurgeAttached:
					next.Result.list(&next.Result.Outside, fhir.Key{Type: attachedType, ID: id}.String())
				default:
					next.Attached = slices.Insert(next.Attached, i, id)
				}
			}
		}
	}
	return nil
}

// attachedTo returns the ids of the Binaries that a version names.
func (p *purging) attachedTo(rec storage.Record) (ids []string, err error) {
	if rec.Deleted || !bytes.Contains(rec.Body, []byte(attachedType+"/")) && !bytes.Contains(rec.Body, []byte(attachedType+`\/`)) {
		return nil, nil
	}
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	for n := range literals(r.Node) {
		key, _, ok := p.service.Local("", n.Text())
		if ok && key.Type == attachedType && (n.Name() == "reference" || isAttached(p.service.registry, n)) {
			ids = append(ids, key.ID)
		}
	}
	return ids, nil
}

// shared does the next versions of the history of the whole store: what a version that stays names is not erased. AuditEvents do not count, which tell who
// has seen what.
func (p *purging) shared(ctx context.Context) error {
	return p.step(ctx, func(tx storage.Tx, next *purgePosition) error {
		if next.Until.IsZero() {
			next.Until = tx.Moment()
			patient, err := current(ctx, tx, p.key)
			if err != nil {
				return err
			}
			if patient.Version > 0 {
				if err := p.attach(ctx, tx, []storage.Record{patient}, next); err != nil {
					return err
				}
			}
		}
		if len(next.Attached) == 0 {
			next.Phase, next.Version = next.Phase+1, nil
			return nil
		}
		versions, err := tx.History(ctx, storage.HistoryQuery{Until: next.Until, After: next.Version, Limit: purgeVersions})
		if err != nil {
			return err
		}
		for _, rec := range versions {
			next.Version = &storage.HistoryPosition{Updated: rec.Updated, Key: rec.Key, Version: rec.Version}
			if rec.Key == p.key || rec.Key.Type == auditType {
				continue
			}
			ids, err := p.attachedTo(rec)
			if err != nil {
				return err
			}
			ids = slices.DeleteFunc(ids, func(id string) bool {
				_, ours := slices.BinarySearch(next.Attached, id)
				return !ours || rec.Key == fhir.Key{Type: attachedType, ID: id}
			})
			if rec.Key.Type == attachedType {
				if _, ours := slices.BinarySearch(next.Attached, rec.Key.ID); ours && p.ofAnother(rec) {
					ids = append(ids, rec.Key.ID)
				}
			}
			if len(ids) == 0 {
				continue
			}
			if _, whole, err := p.judge(ctx, tx, rec); err != nil {
				return err
			} else if whole {
				continue
			}
			next.Attached = slices.DeleteFunc(next.Attached, func(id string) bool { return slices.Contains(ids, id) })
			for _, id := range ids {
				if text := (fhir.Key{Type: attachedType, ID: id}).String(); !slices.Contains(next.Result.Outside, text) {
					next.Result.list(&next.Result.Outside, text)
				}
			}
		}
		if len(versions) < purgeVersions {
			next.Phase, next.Version = next.Phase+1, nil
		}
		return nil
	})
}

// ofAnother reports whether what a Binary's access is told by is another patient.
func (p *purging) ofAnother(rec storage.Record) bool {
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil {
		return false
	}
	key, _, ok := p.service.Local("", r.Get("securityContext").Get("reference").Text())
	return ok && key.Type == p.key.Type && key != p.key
}

// attached erases the next of what only erased resources name.
func (p *purging) attached(ctx context.Context) error {
	return p.step(ctx, func(tx storage.Tx, next *purgePosition) error {
		chunk := next.Attached[:min(len(next.Attached), purgeAtOnce)]
		if next.Attached = next.Attached[len(chunk):]; len(next.Attached) == 0 {
			next.Phase++
		}
		var gone []storage.Record
		for _, id := range chunk {
			rec, err := current(ctx, tx, fhir.Key{Type: attachedType, ID: id})
			if err != nil {
				return err
			}
			if rec.Version > 0 {
				gone = append(gone, rec)
				next.Result.unlist(rec.Key)
			}
		}
		return p.erase(ctx, tx, gone, &next.Result)
	})
}

// unlist takes a resource that is erased out of what stays.
func (r *PurgeResult) unlist(key fhir.Key) {
	r.Outside = slices.DeleteFunc(slices.Clone(r.Outside), func(text string) bool { return text == key.String() })
	r.Past = slices.DeleteFunc(slices.Clone(r.Past), func(text string) bool { return strings.HasPrefix(text, key.String()+"/_history/") })
}
