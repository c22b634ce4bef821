package rest

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Content negotiation: what a client may send and in which form it is answered (R4 http, 3.1.0.1.9 Content Types and encodings, and
// 3.1.0.1.11 General parameters, _format).

// The media types of FHIR JSON.
const (
	fhirJSON  = "application/fhir+json"
	plainJSON = "application/json"
)

// The values of the Content-Type header, shared by all answers: net/http does not change them.
var (
	fhirJSONHeader  = []string{fhirJSON + "; charset=utf-8"}
	plainJSONHeader = []string{plainJSON + "; charset=utf-8"}
)

// errNotAcceptable is the answer to a client that accepts no form that there is.
func errNotAcceptable(native string) error {
	text := "answers are written as " + fhirJSON + " or " + plainJSON + " in UTF-8, FHIR version 4.0"
	if native != "" {
		text += ", and this content in its own type"
	}
	return fhir.NewError(fhir.KindNotAcceptable, fhir.IssueNotSupported, fhir.IDNotAcceptable, text)
}

// negotiate chooses the Content-Type of an answer in FHIR JSON from the Accept header and _format, which goes before it.
func negotiate(accept []string, format string) ([]string, error) {
	if format != "" {
		return formatHeader(format)
	}
	if len(accept) == 0 {
		return fhirJSONHeader, nil
	}
	if len(accept) == 1 {
		switch accept[0] {
		case "", "*/*", fhirJSON, "application/fhir+json; charset=utf-8", "application/fhir+json;charset=utf-8":
			return fhirJSONHeader, nil
		case plainJSON:
			return plainJSONHeader, nil
		}
	}
	i := choose(accept, fhirJSON, plainJSON)
	switch i {
	case 0:
		return fhirJSONHeader, nil
	case 1:
		return plainJSONHeader, nil
	}
	return nil, errNotAcceptable("")
}

// formatHeader returns the Content-Type for a value of _format. A plus sign that a client forgot to escape arrives as a space.
func formatHeader(format string) ([]string, error) {
	m := parseMediaType(strings.ReplaceAll(format, "fhir json", "fhir+json"))
	if m.speaksR4() {
		switch m.name {
		case "json", fhirJSON:
			return fhirJSONHeader, nil
		case plainJSON:
			return plainJSONHeader, nil
		}
	}
	return nil, errNotAcceptable("")
}

// choose returns which of the offered types an Accept header prefers, -1 for none: the greatest quality wins, then the more specific range,
// then the offer that stands first (RFC 9110 section 12.5.1).
func choose(accept []string, offers ...string) int {
	best, bestQ, bestSpecific := -1, 0, 0
	for i, offer := range offers {
		q, specific := preference(accept, offer)
		if q > bestQ || q == bestQ && q > 0 && specific > bestSpecific {
			best, bestQ, bestSpecific = i, q, specific
		}
	}
	return best
}

// byName is the specificity of a media type that a header names itself.
const byName = 3

// preference returns the quality that an Accept header gives to a media type, from its most specific range that matches: byName, 2 its main
// type, 1 anything.
func preference(accept []string, offer string) (q, specific int) {
	main, _, _ := strings.Cut(offer, "/")
	for _, line := range accept {
		for line != "" {
			var item string
			item, line = cut(line, ',')
			m := parseMediaType(item)
			if (offer == fhirJSON || offer == plainJSON) && !m.speaksR4() {
				continue
			}
			s := 0
			switch {
			case m.name == offer:
				s = byName
			case len(m.name) == len(main)+2 && strings.HasPrefix(m.name, main) && strings.HasSuffix(m.name, "/*"):
				s = 2
			case m.name == "*/*" || m.name == "*":
				s = 1
			}
			if s > specific || s == specific && s > 0 && m.q > q {
				q, specific = m.q, s
			}
		}
	}
	return q, specific
}

// checkContentType says whether a body of the type is read as FHIR JSON; an *Error of KindMediaType says why not.
func checkContentType(header string) error {
	switch header {
	case fhirJSON, plainJSON, "application/fhir+json; charset=utf-8", "application/json; charset=utf-8", "application/fhir+json;charset=utf-8":
		return nil
	}
	m := parseMediaType(header)
	switch {
	case m.name == "":
		return fhir.NewError(fhir.KindMediaType, fhir.IssueRequired, fhir.IDContentTypeMissing, "a body needs a Content-Type: "+fhirJSON)
	case m.name != fhirJSON && m.name != plainJSON:
		return fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentType, "bodies are read as "+fhirJSON+" or "+plainJSON)
	case !m.speaksR4():
		return fhir.NewError(fhir.KindMediaType, fhir.IssueNotSupported, fhir.IDContentTypeParameter, "bodies are read in UTF-8 and FHIR version 4.0")
	}
	return nil
}
