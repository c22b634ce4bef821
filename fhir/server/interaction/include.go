package interaction

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

const (
	// maxIncluded bounds what one page may include. Past it the page has fewer matches, since includes are never cut off.
	maxIncluded = 20_000
	// maxIncludes bounds the includes of one search.
	maxIncludes = 64
)

// includer collects what _include and _revinclude add to a page (R4 search, 3.1.1.5.4, http://hl7.org/fhir/R4/search.html#revinclude): the
// resources that matches refer to, and those that refer to them; with :iterate also of those that were included. Each resource is there
// once, matches are not included again, and cycles end because nothing is followed twice.
type includer struct {
	service *Service
	reader  storage.Reader
	seen    map[fhir.Key]bool
	found   []storage.Record
	// matches are what the page has beside found. shown are the versions of both; nil until a reference names a version, before which seen tells
	// them apart.
	matches []storage.Record
	shown   map[versionKey]bool
	// whole is the search that matches are of, where all its pages are read; nil where a page stands for itself.
	whole finding
	// room is how many bytes more may be found.
	room int64
}

// versionKey names a version of a resource.
type versionKey struct {
	key     fhir.Key
	version int64
}

// errCrowded says that matches include more than there is room for.
var errCrowded = errors.New("interaction: too much is included")

// include returns what the includes of a search add to the matches; errCrowded where that is more than maxIncluded resources or room bytes.
func (s *Service) include(ctx context.Context, r storage.Reader, p *searching, matches []storage.Record, room int64) ([]storage.Record, error) {
	rules := p.includes
	if len(rules) == 0 || len(matches) == 0 {
		return nil, nil
	}
	in := &includer{service: s, reader: r, room: room, matches: matches, seen: make(map[fhir.Key]bool, 2*len(matches))}
	if p.whole {
		in.whole = p.finding
	}
	for i := range matches {
		in.seen[matches[i].Key] = true
	}
	from, iterated := matches, false
	for len(from) > 0 {
		start := len(in.found)
		around := &neighbourhood{records: from}
		for _, rule := range rules {
			if iterated && !rule.Iterate {
				continue
			}
			if err := in.follow(ctx, rule, around); err != nil {
				return nil, err
			}
		}
		if p.mentioned && !iterated {
			keys, versions, err := in.mentionedIn(ctx, around)
			if err == nil {
				err = in.reach(ctx, keys, versions)
			}
			if err != nil {
				return nil, err
			}
		}
		from, iterated = in.found[start:], true
	}
	return in.found, nil
}

// neighbourhood is the records that the rules of one round look around.
type neighbourhood struct {
	records []storage.Record
	// parsed are their resources, made once for all rules.
	parsed []fhir.Resource
}

// resource returns the i-th record's resource.
func (n *neighbourhood) resource(i int) (fhir.Resource, error) {
	if n.parsed == nil {
		n.parsed = make([]fhir.Resource, len(n.records))
	}
	if !n.parsed[i].Valid() {
		r, err := fhir.ParseResource(n.records[i].Body, fhir.Limits{})
		if err != nil {
			return r, err
		}
		n.parsed[i] = r
	}
	return n.parsed[i], nil
}

// follow adds what one rule adds to the records.
func (in *includer) follow(ctx context.Context, rule search.Include, from *neighbourhood) error {
	var keys []fhir.Key
	var versions []versionKey
	var err error
	if rule.Reverse {
		keys, err = in.referrers(ctx, rule, from.records)
	} else {
		keys, versions, err = in.targets(ctx, rule, from)
	}
	if err != nil {
		return err
	}
	return in.reach(ctx, keys, versions)
}

// reach adds resources that records refer to, but for the matches of a search that is read whole.
func (in *includer) reach(ctx context.Context, keys []fhir.Key, versions []versionKey) error {
	keys, err := in.others(ctx, keys)
	if err != nil {
		return err
	}
	if err := in.current(ctx, keys); err != nil {
		return err
	}
	return in.versions(ctx, versions)
}

// current adds the current versions of resources.
func (in *includer) current(ctx context.Context, keys []fhir.Key) error {
	if len(in.found)+len(keys) > maxIncluded {
		return errCrowded
	}
	for len(keys) > 0 {
		n := in.service.sizes.atOnce(keys, in.room)
		records, err := in.reader.GetMany(ctx, keys[:n])
		if err != nil {
			return err
		}
		for i := range records {
			if records[i].Version == 0 {
				continue
			}
			if err := in.show(&records[i]); err != nil {
				return err
			}
		}
		keys = keys[n:]
	}
	return nil
}

// versions adds versions that references name. What has no such version, or was deleted by it, adds nothing, as a reference that leads nowhere.
func (in *includer) versions(ctx context.Context, named []versionKey) error {
	for _, v := range named {
		if in.shows(v) {
			continue
		}
		if len(in.found) >= maxIncluded {
			return errCrowded
		}
		rec, err := in.reader.GetVersion(ctx, v.key, v.version)
		if err != nil && !isNotFound(err) {
			return err
		}
		if err != nil || rec.Deleted {
			in.shown[v] = true // so that it is not asked for again
			continue
		}
		if err := in.show(&rec); err != nil {
			return err
		}
	}
	return nil
}

// shows reports whether the page has a version that a reference names.
func (in *includer) shows(v versionKey) bool {
	if in.shown == nil {
		in.shown = make(map[versionKey]bool, len(in.matches)+len(in.found)+1)
		for _, records := range [][]storage.Record{in.matches, in.found} {
			for i := range records {
				in.shown[versionKey{records[i].Key, records[i].Version}] = true
			}
		}
	}
	return in.shown[v]
}

// show adds a version, once.
func (in *includer) show(rec *storage.Record) error {
	if in.shown != nil {
		v := versionKey{rec.Key, rec.Version}
		if in.shown[v] {
			return nil
		}
		in.shown[v] = true
	}
	in.service.sizes.see(rec.Key.Type, len(rec.Body))
	if in.room -= int64(len(rec.Body)); in.room < 0 {
		return errCrowded
	}
	in.found = append(in.found, *rec)
	return nil
}

// others returns the keys without those of the search's own matches, which come on a page of their own.
func (in *includer) others(ctx context.Context, keys []fhir.Key) ([]fhir.Key, error) {
	for _, q := range in.whole {
		var ids []string
		for _, key := range keys {
			if slices.Contains(q.Types, key.Type) {
				ids = append(ids, key.ID)
			}
		}
		for chunk := range slices.Chunk(ids, livingAtOnce) {
			rows, err := in.reader.Find(ctx, search.Query{Types: q.Types, Where: search.And{search.KeyIn{IDs: chunk}, orAll(q.Where)}})
			if err != nil {
				return nil, err
			}
			matches := make(map[fhir.Key]bool, len(rows))
			for i := range rows {
				matches[rows[i].Key] = true
			}
			keys = slices.DeleteFunc(keys, func(key fhir.Key) bool { return matches[key] })
		}
	}
	return keys, nil
}

// orAll returns a condition that is not nil.
func orAll(e search.Expr) search.Expr {
	if e == nil {
		return search.And{}
	}
	return e
}

// add notes a key, and appends it where it is new.
func (in *includer) add(keys []fhir.Key, key fhir.Key) []fhir.Key {
	if in.seen[key] {
		return keys
	}
	in.seen[key] = true
	return append(keys, key)
}

// targets returns what the records refer to by the rule's parameter: by type and id, or by the url of a canonical, and the versions that are named.
func (in *includer) targets(ctx context.Context, rule search.Include, from *neighbourhood) (keys []fhir.Key, versions []versionKey, err error) {
	var named map[string][]string // canonicals by what may be named, "Library Measure"
	var refs []search.Reference
	for i := range from.records {
		typ := from.records[i].Key.Type
		if rule.Source != "" && typ != rule.Source {
			continue
		}
		r, err := from.resource(i)
		if err != nil {
			return nil, nil, err
		}
		if refs, err = in.service.parameters.AppendReferences(refs[:0], r, rule.Param); err != nil {
			return nil, nil, err
		}
		for j := range refs {
			e := &refs[j]
			if e.URI != "" {
				types := strings.Join(in.service.parameters.NamedBy(typ, e.Param, rule.Target), " ")
				if types != "" && !slices.Contains(named[types], e.URI) {
					if named == nil {
						named = make(map[string][]string)
					}
					named[types] = append(named[types], e.URI)
				}
				continue
			}
			if e.Key.ID == "" || rule.Target != "" && e.Key.Type != rule.Target {
				continue
			}
			if e.Version == "" {
				keys = in.add(keys, e.Key)
			} else if n, ok := parseVersion(e.Version); ok && !in.shows(versionKey{e.Key, n}) {
				versions = append(versions, versionKey{e.Key, n})
			}
		}
	}
	for _, types := range slices.Sorted(maps.Keys(named)) {
		found, err := in.canonicals(ctx).Resolve(strings.Fields(types), named[types])
		if err != nil {
			return nil, nil, err
		}
		for _, canonical := range named[types] {
			for _, row := range found[canonical] {
				keys = in.add(keys, row.Key)
			}
		}
	}
	return keys, versions, nil
}

func (in *includer) canonicals(ctx context.Context) *search.Canonicals {
	return search.NewCanonicals(ctx, in.reader)
}

// referrersAtOnce is how many records one search for referrers names.
const referrersAtOnce = 200

// referrers returns what refers to the records by the rule's parameter.
func (in *includer) referrers(ctx context.Context, rule search.Include, from []storage.Record) ([]fhir.Key, error) {
	sources := []string{rule.Source}
	if rule.Source == "" {
		sources = in.service.registry.ResourceTypes()
	}
	var keys []fhir.Key
	for chunk := range slices.Chunk(from, referrersAtOnce) {
		names, err := in.names(ctx, rule, chunk)
		if err != nil {
			return nil, err
		}
		for _, source := range sources {
			where := in.pointing(source, rule, chunk, names)
			if len(where) == 0 {
				continue
			}
			rows, err := in.reader.Find(ctx, search.Query{Types: []string{source}, Where: where, Limit: maxIncluded + 1})
			if err != nil {
				return nil, err
			}
			for i := range rows {
				keys = in.add(keys, rows[i].Key)
			}
		}
	}
	return keys, nil
}

// names returns the canonicals that name the records, by the records' type.
func (in *includer) names(ctx context.Context, rule search.Include, records []storage.Record) (map[string][]string, error) {
	ids := make(map[string][]string)
	for i := range records {
		if typ := records[i].Key.Type; in.service.parameters.Nameable(typ) && (rule.Target == "" || rule.Target == typ) {
			ids[typ] = append(ids[typ], records[i].Key.ID)
		}
	}
	names := make(map[string][]string, len(ids))
	for typ, list := range ids {
		var err error
		if names[typ], err = in.canonicals(ctx).Names(typ, search.KeyIn{IDs: list}); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// pointing returns the condition that a resource of type source refers to one of the records by the rule's parameter, by type and id or by
// one of the names of the record's type.
func (in *includer) pointing(source string, rule search.Include, records []storage.Record, names map[string][]string) (where search.Or) {
	for _, p := range in.service.parameters.Of(source) {
		if p.Type != "reference" || rule.Param != "" && p.Code != rule.Param {
			continue
		}
		for i := range records {
			typ := records[i].Key.Type
			if p.PointsTo(typ) && (rule.Target == "" || rule.Target == typ) {
				where = append(where, pointsTo(p.Code, records[i].Key))
			}
		}
		for typ, list := range names {
			if len(list) > 0 && len(in.service.parameters.NamedBy(source, p.Code, typ)) > 0 {
				where = append(where, search.CanonicalIn(p.Code, list))
			}
		}
	}
	return where
}
