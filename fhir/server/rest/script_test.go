package rest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search/searchtest"
)

// overHTTP runs search scripts against a server: by GET in pages of two, and by POST _search on one page, which must find the same in the
// same order.
type overHTTP struct {
	t *testing.T
	s *server
}

func (o *overHTTP) Put(key fhir.Key, body []byte) error {
	return refusal(o.s.do(o.t, "PUT", "/fhir/"+key.String(), ct(jsonType, "Prefer", "return=minimal"), string(body)))
}

func (o *overHTTP) Delete(key fhir.Key) error {
	return refusal(o.s.do(o.t, "DELETE", "/fhir/"+key.String(), nil, ""))
}

func (o *overHTTP) Reset() error {
	// Scripts are written for resources of the first of January 2024.
	var now atomic.Int64
	now.Store(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())
	o.s = newServerOf(o.t, newConfigWith(o.t, nil, func() time.Time { return time.UnixMicro(now.Add(1)).UTC() }))
	return nil
}

func (o *overHTTP) Search(url string) ([]fhir.Key, error) {
	path, query, _ := strings.Cut(url, "?")
	if path != "" {
		path = "/" + path
	}
	pages := query
	if !strings.Contains(query, "_count=") {
		pages = strings.TrimPrefix(query+"&_count=2", "&")
	}
	var keys []fhir.Key
	n := 0
	for next := "/fhir" + path + "?" + pages; next != ""; n++ {
		if n > 1000 {
			return nil, fmt.Errorf("the pages have no end")
		}
		found, link, err := o.page(o.s.do(o.t, "GET", next, nil, ""))
		if err != nil {
			return nil, err
		}
		keys, next = append(keys, found...), link
	}
	if strings.Contains(query, "_count=") {
		return keys, nil
	}
	posted, _, err := o.page(o.s.do(o.t, "POST", "/fhir"+path+"/_search?_count=1000", ct("application/x-www-form-urlencoded"), query))
	if err != nil {
		return nil, err
	}
	if !slices.Equal(keys, posted) {
		return nil, fmt.Errorf("pages find %v, POST _search %v", keys, posted)
	}
	return keys, nil
}

// page returns the matches of a page and the path of the next.
func (o *overHTTP) page(a answer) (keys []fhir.Key, next string, err error) {
	if err := refusal(a); err != nil {
		return nil, "", err
	}
	var b bundle
	if err := json.Unmarshal(a.body, &b); err != nil {
		return nil, "", err
	}
	for _, e := range b.Entry {
		if e.Search.Mode == "match" {
			keys = append(keys, fhir.Key{Type: e.Resource.ResourceType, ID: e.Resource.ID})
		}
	}
	for _, l := range b.Link {
		if l.Relation == "next" {
			next = strings.TrimPrefix(l.URL, o.s.url)
		}
	}
	return keys, next, nil
}

// refusal returns the error that an answer states; nil for a success.
func refusal(a answer) error {
	if a.status < 300 {
		return nil
	}
	var o struct {
		Issue []struct {
			Details     struct{ Coding []struct{ Code string } }
			Diagnostics string
		}
	}
	if err := json.Unmarshal(a.body, &o); err != nil || len(o.Issue) == 0 {
		return fmt.Errorf("status %d: %.200s", a.status, a.body)
	}
	e := &fhir.Error{Op: fmt.Sprint(a.status)}
	for _, is := range o.Issue {
		issue := fhir.Issue{Text: is.Diagnostics}
		if len(is.Details.Coding) > 0 {
			issue.ID = fhir.IssueID(is.Details.Coding[0].Code)
		}
		e.Issues = append(e.Issues, issue)
	}
	return e
}

func TestSearchScriptsOverHTTP(t *testing.T) {
	searchtest.Run(t, searchtest.Files(t), &overHTTP{t: t})
}
