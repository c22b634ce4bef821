package interaction

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/job"
	"github.com/fhirgate/fhirgate/fhir/server/parameter"
	"github.com/fhirgate/fhirgate/storage"
)

// The steps of a purge: the members of the compartment are found by the index, and erased; the history of the whole store is read once, for what was
// deleted, for documents, and for what else refers to the patient; the members again, for what was stored meanwhile; then what only erased resources
// name (purgeattached.go); the patient at last, with the AuditEvent. Each step stores how far it is together with what it erases.

const (
	purgeAtOnce   = 100 // resources that one Update erases
	purgeVersions = 500 // versions of the history that are read at once
	// auditType is the type of what tells of an erasure, and is not erased: it has the patient's id and nothing else of it.
	auditType = "AuditEvent"
)

// The phases.
const (
	purgeMembers = iota
	purgeHistory
	purgeAgain
	purgeShared
	purgeAttached
	purgeLast
	purgeDone
)

// purgePosition is how far a purge is.
type purgePosition struct {
	Phase int `json:"phase"`
	// Type and After are where the members are: the type by its place among those of the compartment, and the id of the last one.
	Type  int    `json:"type,omitempty"`
	After string `json:"after,omitempty"`
	// Version is where the history is, which is read up to Until.
	Version *storage.HistoryPosition `json:"version,omitempty"`
	Until   time.Time                `json:"until,omitzero"`
	// Attached are the ids of the Binaries that erased resources name, sorted.
	Attached []string    `json:"attached,omitempty"`
	Result   PurgeResult `json:"result"`
}

// clone returns a position that changes apart from p.
func (p purgePosition) clone() purgePosition {
	p.Result.Counts = maps.Clone(p.Result.Counts)
	if p.Result.Counts == nil {
		p.Result.Counts = map[string]int64{}
	}
	p.Result.Resources, p.Result.Outside, p.Result.Past = slices.Clip(p.Result.Resources), slices.Clip(p.Result.Outside), slices.Clip(p.Result.Past)
	p.Attached = slices.Clone(p.Attached)
	return p
}

// purging is one run of a purge.
type purging struct {
	service *Service
	run     *job.Run
	key     fhir.Key
	dry     bool
	types   []string
	at      purgePosition
}

// runPurge does a purge from where it is.
func (s *Service) runPurge(ctx context.Context, run *job.Run) error {
	j := run.Job()
	var payload purgePayload
	if err := json.Unmarshal(j.Payload, &payload); err != nil {
		return job.Permanent(err)
	}
	p := purging{service: s, run: run, key: fhir.Key{Type: payload.Type, ID: payload.ID}, dry: payload.Dry, types: s.parameters.CompartmentTypes(payload.Type)}
	if len(j.Position) > 0 {
		if err := json.Unmarshal(j.Position, &p.at); err != nil {
			return job.Permanent(err)
		}
	}
	defer s.custom.Begin()()
	for p.at.Phase != purgeDone {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		switch p.at.Phase {
		case purgeMembers, purgeAgain:
			err = p.members(ctx)
		case purgeHistory:
			err = p.history(ctx)
		case purgeShared:
			err = p.shared(ctx)
		case purgeAttached:
			err = p.attached(ctx)
		default:
			err = p.last(ctx)
		}
		if err != nil {
			return err
		}
		p.run.Progress(p.at.Result.sum(), job.Unknown)
	}
	return nil
}

// sum is how many resources are erased.
func (r *PurgeResult) sum() (n int64) {
	for _, k := range r.Counts {
		n += k
	}
	return n
}

// step runs f in an Update, with the next position, which is stored with it.
func (p *purging) step(ctx context.Context, f func(tx storage.Tx, next *purgePosition) error) error {
	var next purgePosition
	err := p.run.Update(ctx, func(tx storage.Tx, j *job.Job) error {
		next = p.at.clone()
		if err := f(tx, &next); err != nil {
			return err
		}
		j.Position = job.Payload(next)
		return nil
	})
	if err == nil {
		p.at = next
	}
	return err
}

// erase erases resources, or counts them where the run is dry.
func (p *purging) erase(ctx context.Context, tx storage.Tx, recs []storage.Record, result *PurgeResult) error {
	keys := make([]fhir.Key, len(recs))
	for i, rec := range recs {
		keys[i] = rec.Key
		result.Counts[rec.Key.Type]++
		result.list(&result.Resources, rec.Key.String())
		if p.dry {
			result.Versions += rec.Version
		}
	}
	if p.dry || len(keys) == 0 {
		return nil
	}
	n, err := tx.Erase(ctx, keys)
	result.Versions += n
	return err
}

// alone reports whether a version is in the compartment, in no other one of its kind, and of a type that is erased; or is a document of such.
func (p *purging) alone(rec storage.Record) (bool, error) {
	if rec.Key.Type == auditType {
		return false, nil
	}
	if document, err := p.documentOf(rec); err != nil || document {
		return document, err
	}
	owners, err := p.service.Owners(rec, p.key.Type)
	return len(owners) == 1 && owners[0] == p.key, err
}

// members does the next of the compartment's members.
func (p *purging) members(ctx context.Context) error {
	return p.step(ctx, func(tx storage.Tx, next *purgePosition) error {
		if next.Type >= len(p.types) || p.dry && next.Phase == purgeAgain {
			next.Phase, next.Type, next.After = next.Phase+1, 0, ""
			if next.Phase == purgeHistory {
				next.Until = tx.Moment()
			}
			return nil
		}
		typ := p.types[next.Type]
		where, ok := p.service.parameters.Compartment(p.key, typ)
		if !ok || typ == auditType {
			next.Type, next.After = next.Type+1, ""
			return nil
		}
		query := search.Query{Types: []string{typ}, Where: where, Limit: purgeAtOnce}
		if next.After != "" {
			query.After = &search.Position{Key: fhir.Key{Type: typ, ID: next.After}}
		}
		rows, err := tx.Find(ctx, query)
		if err != nil {
			return err
		}
		keys := make([]fhir.Key, 0, len(rows))
		for _, row := range rows {
			if row.Key != p.key {
				keys = append(keys, row.Key)
			}
			next.After = row.Key.ID
		}
		records, err := tx.GetMany(ctx, keys)
		if err != nil {
			return err
		}
		var gone []storage.Record
		for _, rec := range records {
			alone, err := p.alone(rec)
			if err != nil {
				return err
			}
			if alone {
				gone = append(gone, rec)
			}
		}
		if len(rows) < query.Limit {
			next.Type, next.After = next.Type+1, ""
		}
		if err := p.attach(ctx, tx, gone, next); err != nil {
			return err
		}
		return p.erase(ctx, tx, gone, &next.Result)
	})
}

// history does the next versions of the history of the whole store.
func (p *purging) history(ctx context.Context) error {
	return p.step(ctx, func(tx storage.Tx, next *purgePosition) error {
		versions, err := tx.History(ctx, storage.HistoryQuery{Until: next.Until, After: next.Version, Limit: purgeVersions})
		if err != nil {
			return err
		}
		seen := map[fhir.Key]bool{}
		var gone []storage.Record
		for _, rec := range versions {
			next.Version = &storage.HistoryPosition{Updated: rec.Updated, Key: rec.Key, Version: rec.Version}
			if rec.Key == p.key || seen[rec.Key] || rec.Deleted || !refersTo(rec.Body, p.key) {
				continue
			}
			now, whole, err := p.judge(ctx, tx, rec)
			switch {
			case err != nil:
				return err
			case whole && now.Deleted && (!p.dry || rec.Version == now.Version-1), // a dry run sees all versions, and counts one
				whole && now.Key.Type == "Bundle" && (!p.dry || rec.Version == now.Version):
				seen[rec.Key] = true
				gone = append(gone, now)
			case whole: // among the members
			case now.Version == rec.Version:
				next.Result.list(&next.Result.Outside, rec.Key.String())
			default:
				next.Result.list(&next.Result.Past, rec.Key.String()+"/_history/"+strconv.FormatInt(rec.Version, 10))
			}
		}
		if len(versions) < purgeVersions {
			next.Phase, next.Version, next.Until = next.Phase+1, nil, time.Time{}
		}
		if err := p.attach(ctx, tx, gone, next); err != nil {
			return err
		}
		return p.erase(ctx, tx, gone, &next.Result)
	})
}

// judge returns the current version of the resource of a version that mentions the patient, and whether the resource is of the patient alone: as it is, or
// where it is deleted, as it was at last.
func (p *purging) judge(ctx context.Context, tx storage.Tx, rec storage.Record) (now storage.Record, whole bool, err error) {
	if now, err = current(ctx, tx, rec.Key); err != nil {
		return now, false, err
	}
	last := now
	if now.Deleted {
		if last, err = tx.GetVersion(ctx, rec.Key, now.Version-1); errors.Is(err, storage.ErrNotFound) {
			return now, false, nil
		}
		if err != nil {
			return now, false, err
		}
	}
	whole, err = p.alone(last)
	return now, whole, err
}

// last erases the patient, and stores what tells of it.
func (p *purging) last(ctx context.Context) error {
	var res Result
	err := p.step(ctx, func(tx storage.Tx, next *purgePosition) error {
		res = Result{}
		cur, err := current(ctx, tx, p.key)
		if err != nil {
			return err
		}
		if cur.Version > 0 {
			if err := p.erase(ctx, tx, []storage.Record{cur}, &next.Result); err != nil {
				return err
			}
		}
		next.Phase = purgeDone
		if p.dry {
			return nil
		}
		r, err := fhir.ParseResource(p.audit(tx.Now(), &next.Result), fhir.Limits{})
		if err != nil {
			return err
		}
		d, err := p.service.extract(r, nil)
		if err != nil {
			return err
		}
		key := fhir.Key{Type: auditType, ID: p.service.ids.next()}
		rec, err := p.service.write(ctx, &parameter.Tx{Tx: tx}, d, storage.Record{}, key, http.MethodPost)
		if err != nil {
			return err
		}
		next.Result.Audit = key.String()
		res = Result{Action: Created, Record: rec, generation: d.generation}
		return nil
	})
	if err == nil && res.Record.Version > 0 {
		p.service.wrote(ctx, res)
	}
	return err
}

// audit returns the AuditEvent of an erasure: who was erased, by the id alone, when, and how much.
func (p *purging) audit(at time.Time, result *PurgeResult) []byte {
	return fmt.Appendf(nil, `{"resourceType":%q,"type":{"system":"http://dicom.nema.org/resources/ontology/DCM","code":"110110","display":"Patient Record"},`+
		`"subtype":[{"system":"http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle","code":"destroy","display":"Destroy/Delete Record Lifecycle Event"}],`+
		`"action":"D","recorded":%q,"outcome":"0","agent":[{"name":"administrator","requestor":true}],"source":{"observer":{"display":"fhirgate"}},`+
		`"entity":[{"what":{"reference":%q},"detail":[{"type":"resources","valueString":"%d"},{"type":"versions","valueString":"%d"}]}]}`,
		auditType, fhir.FormatInstant(at), p.key.String(), result.sum(), result.Versions)
}

// refersTo reports whether JSON has a literal reference to a resource, or looks as if.
func refersTo(body []byte, key fhir.Key) bool {
	for _, slash := range []string{"/", `\/`} {
		text := []byte(key.Type + slash + key.ID)
		for rest := body; ; {
			i := bytes.Index(rest, text)
			if i < 0 {
				break
			}
			rest = rest[i+len(text):]
			if len(rest) == 0 || !fhir.ValidID(string(rest[:1])) {
				return true
			}
		}
	}
	return false
}
