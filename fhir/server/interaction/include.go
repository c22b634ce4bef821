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
	// room is how many bytes more may be found.
	room int64
}

// errCrowded says that matches include more than there is room for.
var errCrowded = errors.New("interaction: too much is included")

// include returns what the rules add to the matches; errCrowded where that is more than maxIncluded resources or room bytes.
func (s *Service) include(ctx context.Context, r storage.Reader, rules []search.Include, matches []storage.Record, room int64) ([]storage.Record, error) {
	if len(rules) == 0 || len(matches) == 0 {
		return nil, nil
	}
	in := &includer{service: s, reader: r, seen: make(map[fhir.Key]bool, 2*len(matches)), room: room}
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
	var err error
	if rule.Reverse {
		keys, err = in.referrers(ctx, rule, from.records)
	} else {
		keys, err = in.targets(ctx, rule, from)
	}
	if err != nil || len(keys) == 0 {
		return err
	}
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
			in.service.sizes.see(records[i].Key.Type, len(records[i].Body))
			if in.room -= int64(len(records[i].Body)); in.room < 0 {
				return errCrowded
			}
			in.found = append(in.found, records[i])
		}
		keys = keys[n:]
	}
	return nil
}

// add notes a key, and appends it where it is new.
func (in *includer) add(keys []fhir.Key, key fhir.Key) []fhir.Key {
	if in.seen[key] {
		return keys
	}
	in.seen[key] = true
	return append(keys, key)
}

// targets returns what the records refer to by the rule's parameter: by type and id, or by the url of a canonical.
func (in *includer) targets(ctx context.Context, rule search.Include, from *neighbourhood) ([]fhir.Key, error) {
	var keys []fhir.Key
	named := make(map[string][]string) // canonicals by what may be named, "Library Measure"
	for i := range from.records {
		typ := from.records[i].Key.Type
		if rule.Source != "" && typ != rule.Source {
			continue
		}
		r, err := from.resource(i)
		if err != nil {
			return nil, err
		}
		entries, err := in.service.parameters.References(r, rule.Param)
		if err != nil {
			return nil, err
		}
		for j := range entries {
			e := &entries[j]
			if e.URI != "" {
				types := strings.Join(in.service.parameters.NamedBy(typ, e.Param, rule.Target), " ")
				if types != "" && !slices.Contains(named[types], e.URI) {
					named[types] = append(named[types], e.URI)
				}
				continue
			}
			if e.ID == "" || rule.Target != "" && e.Type != rule.Target {
				continue
			}
			keys = in.add(keys, fhir.Key{Type: e.Type, ID: e.ID})
		}
	}
	for _, types := range slices.Sorted(maps.Keys(named)) {
		found, err := in.canonicals(ctx).Resolve(strings.Fields(types), named[types])
		if err != nil {
			return nil, err
		}
		for _, canonical := range named[types] {
			for _, row := range found[canonical] {
				keys = in.add(keys, row.Key)
			}
		}
	}
	return keys, nil
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
