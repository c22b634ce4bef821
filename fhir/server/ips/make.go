package ips

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// Profile is the canonical of the profile of the Composition, which names the kind of summary; Version is that of the guide.
const (
	Profile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"
	Version = "2.0.0"
)

const bundleProfile = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"

// Source shows what a server holds; *interaction.Service is one.
type Source interface {
	// Find returns the first resources of a type that parameters find, and whether there are more.
	Find(ctx context.Context, base, typ string, parameters []search.Pair, limit int) (records []storage.Record, more bool, err error)
	// ReadMany returns the current versions of keys; a Record with Version 0 stands for one that is not there.
	ReadMany(ctx context.Context, keys []fhir.Key) ([]storage.Record, error)
	// Local reads a reference to a resource of the server.
	Local(base, reference string) (key fhir.Key, version string, ok bool)
}

// Request says of whom a summary is made, and how it names what is in it.
type Request struct {
	// Base is the server's base URL without a trailing slash, as the client sees it.
	Base    string
	Patient storage.Record
	// Now is the time of the summary. NewUUID returns a random UUID.
	Now     time.Time
	NewUUID func() string
}

// The bounds of a summary.
const (
	listed     = 1_000 // resources that one search of a section lists
	maxEntries = 5_000
	maxBytes   = 64 << 20
)

// item is a resource that a section lists.
type item struct {
	key      fhir.Key
	resource fhir.Resource
	told     bool // in the narrative alone
}

// content is what a section lists.
type content struct {
	items []item
	// latest says that older resources of the same code are not listed, cut that there are more than are listed.
	latest, cut bool
}

// summary is a summary in the making.
type summary struct {
	Request
	source   Source
	table    *table
	patient  fhir.Resource
	sections []content
	// held are the resources of the document by their key, entries them in their order.
	held    map[fhir.Key]fhir.Resource
	entries []storage.Record
	bytes   int
	// partial says that the bounds left out what the entries refer to.
	partial bool
}

// Make returns the summary as a document. What the source shows must be of one moment.
func Make(ctx context.Context, source Source, q Request) ([]byte, error) {
	s := &summary{Request: q, source: source, table: loaded(), held: map[fhir.Key]fhir.Resource{}}
	r, err := fhir.ParseResource(q.Patient.Body, fhir.Limits{})
	if err != nil {
		return nil, err
	}
	if s.patient, err = complete(r); err != nil {
		return nil, err
	}
	q.Patient.Body = s.patient.Raw()
	if err := s.hold(q.Patient, s.patient); err != nil {
		return nil, err
	}
	for i := range s.table.Sections {
		c, err := s.fill(ctx, &s.table.Sections[i])
		if err != nil {
			return nil, err
		}
		s.sections = append(s.sections, c)
	}
	if err := s.support(ctx); err != nil {
		return nil, err
	}
	return s.write(), nil
}

// hold adds a resource to the document, once.
func (s *summary) hold(rec storage.Record, r fhir.Resource) error {
	if s.held[rec.Key].Valid() {
		return nil
	}
	if s.bytes += len(rec.Body); len(s.entries) == maxEntries || s.bytes > maxBytes {
		return fhir.NewError(fhir.KindUnprocessable, fhir.IssueTooCostly, fhir.IDDocumentLimit,
			fmt.Sprintf("the summary would hold more than %d resources or %d MiB; the server makes none that long", maxEntries, maxBytes>>20))
	}
	s.held[rec.Key] = r
	s.entries = append(s.entries, rec)
	return nil
}

// fill does the searches of a section.
func (s *summary) fill(ctx context.Context, sec *section) (out content, err error) {
	shown := map[fhir.Key]bool{}
	for i := range sec.Searches {
		f := &sec.Searches[i]
		pairs := append([]search.Pair{{Name: "patient", Value: s.Patient.Key.String()}}, f.pairs...)
		records, more, err := s.source.Find(ctx, s.Base, f.Type, pairs, listed)
		if err != nil {
			return out, err
		}
		out.cut = out.cut || more
		codes := map[string]bool{}
		for _, rec := range records {
			r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
			if err != nil {
				return out, err
			}
			if shown[rec.Key] || !f.admits(r) {
				continue
			}
			if code := codeOf(r); f.Latest && code != "" {
				if codes[code] {
					out.latest = true
					continue
				}
				codes[code] = true
			}
			shown[rec.Key] = true
			out.items = append(out.items, item{rec.Key, r, f.Told})
			if f.Told {
				continue
			}
			if err := s.hold(rec, r); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// codeOf returns what tells resources of one kind from those of another; "" where that is not said.
func codeOf(r fhir.Resource) string {
	code := r.Get("code")
	if c := code.Get("coding").First(); c.Valid() {
		return c.Get("system").Text() + "|" + c.Get("code").Text()
	}
	return code.Get("text").Text()
}

// support adds what the resources of the document refer to, until nothing is left or the bounds are reached.
func (s *summary) support(ctx context.Context) error {
	asked := map[fhir.Key]bool{}
	for from := 0; from < len(s.entries); {
		var keys []fhir.Key
		for ; from < len(s.entries) && len(keys) < 100; from++ {
			fhir.EachReference(s.held[s.entries[from].Key].Node, func(n fhir.Node) {
				key, _, ok := s.source.Local(s.Base, n.Text())
				if ok && !asked[key] && !s.held[key].Valid() && !slices.Contains(s.table.Apart, key.Type) {
					asked[key] = true
					keys = append(keys, key)
				}
			})
		}
		records, err := s.source.ReadMany(ctx, keys)
		if err != nil {
			return err
		}
		for _, rec := range records {
			if rec.Version == 0 {
				continue
			}
			r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
			if err != nil {
				return err
			}
			if s.hold(rec, r) != nil {
				s.partial = true
				return nil
			}
		}
	}
	return nil
}

// resolve returns the resource of the document that a reference names.
func (s *summary) resolve(reference string) fhir.Resource {
	key, _, _ := s.source.Local(s.Base, reference)
	return s.held[key]
}
