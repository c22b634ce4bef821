package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Mime types (https://hl7.org/fhir/R4/search.html#mimetype): "contenttype:below=text/xml" finds "text/xml; charset=UTF-8", too. "Servers are only
// required to support :below on the base part of the mime type".

// The value set of elements that hold a mime type, and the system that its codes are of.
const (
	mimeTypeSet    = "http://hl7.org/fhir/ValueSet/mimetypes"
	mimeTypeSystem = "urn:ietf:bcp:13"
)

// readsMimeTypes reports whether all that a token parameter reads are mime types.
func (p *Parameter) readsMimeTypes() bool {
	e := p.elements()
	sets := slices.DeleteFunc(slices.Clone(e.valueSets), isMimeTypeSet)
	return !e.unknown && len(e.valueSets) > 0 && len(sets) == 0 && len(e.types) == 1
}

// isMimeTypeSet reports whether a value set, with a version or without, is that of mime types.
func isMimeTypeSet(valueSet string) bool {
	url, _, _ := strings.Cut(valueSet, "|")
	return url == mimeTypeSet
}

// mimeTypes compares with a mime type and those below it, which are the same with parameters, or above it, which is the same without.
func mimeTypes(m modifier, raw string) ([]condition, error) {
	parts := splitEscaped(raw, '|')
	if len(parts) == 2 && unescape(parts[0]) == mimeTypeSystem {
		parts = parts[1:]
	}
	if len(parts) != 1 || parts[0] == "" {
		return nil, badValue(fhir.IDBadToken, `a mime type is "type/subtype"`)
	}
	code := foldCode(unescape(parts[0]))
	out := one(Comparison{Field: Code, Op: Eq, Value: code})
	base, _, parameters := strings.Cut(code, ";")
	switch {
	case m == modifierBelow:
		out = append(out, condition{where: []Comparison{{Field: Code, Op: Prefix, Value: code + ";"}}})
	case parameters:
		out = append(out, condition{where: []Comparison{{Field: Code, Op: Eq, Value: strings.TrimSpace(base)}}})
	}
	return out, nil
}
