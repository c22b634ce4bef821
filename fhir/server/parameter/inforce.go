package parameter

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// revisedName names, in the store's Meta, how many Updates have written SearchParameters. An Update that writes one counts on, and guards the
// name: so no two of them see the same state and are both stored, through whichever gateway.
const revisedName = "search-parameters-revised"

// revisionOf returns the count that r shows.
func revisionOf(ctx context.Context, r storage.Reader) (uint64, error) {
	raw, err := r.Meta(ctx, revisedName)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	n, fault := strconv.ParseUint(string(raw), 10, 64)
	if err != nil || fault != nil {
		return 0, err // a value that is not a count is before all counts
	}
	return n, nil
}

// inForce are the SearchParameters of clients that are in force at one state of the store. It is for one goroutine at a time.
type inForce struct {
	parameters *search.Parameters
	// revision is that of the state.
	revision uint64
	// urls are those that are in force by the id of their resource, ids the same the other way round.
	urls, ids map[string]string
	// versions are those that were read, by id. One that can't be served is not among them: it is read again whenever others have changed.
	versions map[string]int64
}

func newInForce(parameters *search.Parameters) *inForce {
	return &inForce{parameters: parameters, urls: make(map[string]string), ids: make(map[string]string), versions: make(map[string]int64)}
}

// clone returns a copy that goes its own way.
func (f *inForce) clone() *inForce {
	return &inForce{parameters: f.parameters.Clone(), revision: f.revision, urls: maps.Clone(f.urls), ids: maps.Clone(f.ids), versions: maps.Clone(f.versions)}
}

// change is what differs between an inForce and the store.
type change struct {
	gone    []string // ids
	records []storage.Record
}

func (d change) empty() bool { return len(d.gone) == 0 && len(d.records) == 0 }

// compare reads what of the state that r shows is not in f.
func (f *inForce) compare(ctx context.Context, r storage.Reader) (d change, err error) {
	rows, err := r.Find(ctx, search.Query{Types: []string{resourceType}})
	if err != nil {
		return d, err
	}
	there := make(map[string]bool, len(rows))
	var keys []fhir.Key
	for i := range rows {
		id := rows[i].Key.ID
		there[id] = true
		if f.versions[id] != rows[i].Version {
			keys = append(keys, rows[i].Key)
		}
	}
	for id := range f.urls {
		if !there[id] {
			d.gone = append(d.gone, id)
		}
	}
	if len(keys) > 0 {
		d.records, err = r.GetMany(ctx, keys)
	}
	return d, err
}

// apply brings the change into force. It returns the resource types whose entries change with it, and for each record that can't be served why
// not.
func (f *inForce) apply(d change) (types []string, faults map[fhir.Key]error) {
	for _, id := range d.gone {
		changed, _ := f.activate(id, fhir.Resource{})
		types = append(types, changed...)
		delete(f.versions, id)
	}
	// A composite is refused until its components are there, and a code until the parameter that had it has another: go on while that brings
	// something.
	for todo := d.records; len(todo) > 0; {
		var left []storage.Record
		faults = make(map[fhir.Key]error)
		for _, rec := range todo {
			var r fhir.Resource
			var err error
			if rec.Version > 0 && !rec.Deleted {
				r, err = fhir.ParseResource(rec.Body, fhir.Limits{})
			}
			changed, fault := f.activate(rec.Key.ID, r)
			types = append(types, changed...)
			if err = errors.Join(err, fault); err != nil {
				left, faults[rec.Key] = append(left, rec), err
				delete(f.versions, rec.Key.ID)
				continue
			}
			f.versions[rec.Key.ID] = rec.Version
		}
		if len(left) == len(todo) {
			break
		}
		todo = left
	}
	return sorted(types), faults
}

// activate makes the parameter that r defines the one that is in force for the resource of an id. One that can't be served, or is not active
// or not valid, takes the earlier one away; the error says why it can't be served. types are those whose entries change.
func (f *inForce) activate(id string, r fhir.Resource) (types []string, err error) {
	url := ""
	if r.Valid() && isActive(r) {
		url = r.Get("url").Text()
		if err = f.taken(id, url); err == nil {
			if f.urls[id] != url {
				types = f.drop(id)
			}
			var changed []string
			changed, err = f.parameters.Add(r)
			types = append(types, changed...)
		}
	}
	if url == "" || err != nil {
		return append(types, f.drop(id)...), err
	}
	f.urls[id], f.ids[url] = url, id
	return types, nil
}

// accept activates what r defines, or refuses it and changes nothing.
func (f *inForce) accept(id string, r fhir.Resource) error {
	if r.Valid() && isActive(r) {
		url := r.Get("url").Text()
		if err := f.taken(id, url); err != nil {
			return err
		}
		others := f.parameters.Clone()
		if old := f.urls[id]; old != url {
			others.Remove(old)
		}
		if err := others.Check(r); err != nil {
			return err
		}
	}
	_, err := f.activate(id, r)
	return err
}

// drop takes away what is in force for an id.
func (f *inForce) drop(id string) (types []string) {
	url, ok := f.urls[id]
	if !ok {
		return nil
	}
	delete(f.urls, id)
	delete(f.ids, url)
	return f.parameters.Remove(url)
}

// taken refuses a url that is in force for another resource.
func (f *inForce) taken(id, url string) error {
	if owner, ok := f.ids[url]; ok && owner != id {
		return &fhir.Error{Kind: fhir.KindUnprocessable, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueDuplicate, ID: fhir.IDParameterConflict,
			Text: "another stored search parameter has this url", Expression: resourceType + ".url"}}}
	}
	return nil
}

// inUse refuses that the parameter of a url goes while a composite is in force of which it is a component.
func (f *inForce) inUse(url string) error {
	for _, p := range f.parameters.Custom() {
		for _, c := range p.Components {
			if definition, _, _ := strings.Cut(c.Definition, "|"); definition == url && p.URL != url {
				return fhir.NewError(fhir.KindConflict, fhir.IssueConflict, fhir.IDParameterInUse,
					"the search parameter is a component of "+resourceType+"/"+f.ids[p.URL]+", which has to be deleted or retired first")
			}
		}
	}
	return nil
}
