package search

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// URIs (https://hl7.org/fhir/R4/search.html#uri): "matching of the whole URI, case and accent sensitive"; with :below a URL and everything
// under it, with :above a URL and everything it is under. Canonicals are URIs with an optional version behind a bar.

// uriCondition compares a URI with a value.
func (q *reading) uriCondition(p *Parameter, m modifier, value string) ([]condition, error) {
	canonical := p.has("canonical")
	if _, version, ok := strings.Cut(value, "|"); ok && version != "" && (m == modifierBelow && canonical || m != modifierAbove && p.Code == "url") {
		return ownVersion(p, m, value)
	}
	switch m {
	case modifierBelow:
		if !isURL(value) {
			return nil, badValue(fhir.IDBadURI, ":below compares URLs only, not URNs")
		}
		stem := strings.TrimRight(value, "/")
		return append(canonicalCondition(stem, canonical), condition{where: []Comparison{{Field: URI, Op: Prefix, Value: stem + "/"}}}), nil
	case modifierAbove:
		if !isURL(value) {
			return nil, badValue(fhir.IDBadURI, ":above compares URLs only, not URNs")
		}
		return uriAbove(value)
	}
	out := canonicalCondition(value, canonical)
	if _, _, local := splitLocal(value); local && canonical {
		// "The second reference is relative and refers a local profile on the same server"
		for _, base := range q.params.bases {
			out = append(out, canonicalCondition(base+value, true)...)
		}
		if base := q.opt.Base; base != "" {
			out = append(out, canonicalCondition(base+"/"+value, true)...)
		}
	}
	if t, ok := q.readReference(value); ok && t.uri == "" && !canonical && p.has("url") {
		// An attachment's URL of a resource of this server is relative at rest.
		relative := t.typ + "/" + t.id
		if t.version != "" {
			relative += "/_history/" + t.version
		}
		if relative != value {
			out = append(out, canonicalCondition(relative, false)...)
		}
	}
	return out, nil
}

// ownVersion compares with "url|version": a canonical as it stands, and of a resource its own url and version ("servers SHOULD support
// automatically detecting a |[version] portion as part of the search parameter, and interpreting that portion as a search on the version").
func ownVersion(p *Parameter, m modifier, value string) ([]condition, error) {
	out := one(Comparison{Field: URI, Op: Eq, Value: value})
	if m == modifierBelow {
		var err error
		if out, err = canonicalVersion(m, value); err != nil {
			return nil, err
		}
	}
	if p.Code == "url" {
		out = append(withSuffix(out, suffixCanonical), canonicalCondition(value, false)...)
	}
	return out, nil
}

// canonicalCondition compares with a canonical: one without a version finds every version.
func canonicalCondition(value string, canonical bool) []condition {
	out := one(Comparison{Field: URI, Op: Eq, Value: value})
	if canonical && !strings.Contains(value, "|") {
		out = append(out, condition{where: []Comparison{{Field: URI, Op: Prefix, Value: value + "|"}}})
	}
	return out
}

func isURL(s string) bool { return strings.Contains(s, "://") && !strings.HasPrefix(s, "urn:") }

// maxSegments bounds the path segments of a value of :above.
const maxSegments = 64

// uriAbove compares with a URL and the URLs that its path passes through.
func uriAbove(value string) ([]condition, error) {
	host := strings.Index(value, "://") + 3
	var out []condition
	add := func(v string) { out = append(out, condition{where: []Comparison{{Field: URI, Op: Eq, Value: v}}}) }
	stem := strings.TrimRight(value, "/")
	for i := host; i < len(stem); i++ {
		if stem[i] != '/' {
			continue
		}
		add(stem[:i])
		add(stem[:i+1])
		if len(out) > 2*maxSegments {
			return nil, badValue(fhir.IDBadURI, "the URL has too many segments for :above")
		}
	}
	add(stem)
	add(stem + "/")
	return out, nil
}

// canonicalVersion compares with the versions of a canonical: :below a url finds all its versions, and :below a part of a version those that
// go on from it (https://hl7.org/fhir/R4/search.html#versions: "|1" and "1.0", "1.1").
func canonicalVersion(m modifier, value string) ([]condition, error) {
	_, version, ok := strings.Cut(value, "|")
	if ok && version == "" || m == modifierAbove {
		return nil, badValue(fhir.IDBadURI, `a canonical is compared with :below as "url" or "url|version", and not with :above`)
	}
	if !ok {
		return canonicalCondition(value, true), nil
	}
	return []condition{
		{where: []Comparison{{Field: URI, Op: Eq, Value: value}}},
		{where: []Comparison{{Field: URI, Op: Prefix, Value: value + "."}}},
	}, nil
}

// uri appends a URI or canonical.
func (x *extraction) uri(it *fhirpath.Item) {
	if it.HasValue() && it.Text() != "" {
		x.put(Entry{Param: x.rule.plain, URI: it.Text()})
	}
}
