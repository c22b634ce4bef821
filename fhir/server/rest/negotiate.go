package rest

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

// Content negotiation (R4 http, 3.1.0.1.9 Content Types and encodings; RFC 9110 section 12.5).

// negotiate chooses the format of the response before anything is done. That of a Binary's content is chosen when the content is there.
func (x *exchange) negotiate() error {
	q := &x.q
	binary := q.Key.Type == binaryType
	if binary && (q.Code == interaction.CodeRead || q.Code == interaction.CodeVRead) {
		if q.View.Format != "" && x.h.formats.byName(q.View.Format) == nil {
			q.View.Summary, q.View.Elements = "", nil // its content has neither
		}
		return nil
	}
	var err error
	x.format, err = x.h.formats.negotiate(x.r.Header["Accept"], q.View.Format)
	if err != nil && q.Code == interaction.CodeOperation && q.Operation.Raw && q.View.Format == "" {
		x.format, err = &x.h.formats.types[0], nil // its result is in a form of its own
	}
	if err != nil && binary && q.View.Format == "" && (q.Code == interaction.CodeCreate || q.Code == interaction.CodeUpdate) {
		// The Accept header of who writes raw content is often made for reading it.
		x.format, err = &x.h.formats.types[0], nil
	}
	q.Pieces = err == nil && x.format.format.Decode == nil && !q.View.Pretty
	return err
}

// native and none are what choose returns beside the index of an offer.
const (
	none   = -1
	native = -2
)

// choose returns which of the offered types of FHIR an Accept header prefers, or native where it prefers a type beside them ("" for none), or none: the
// greatest quality wins, then the more specific range, then the native type, then the offer that comes first (RFC 9110 section 12.5.1).
func choose(accept []string, offers []string, beside string) int {
	best, bestQ, bestSpecific := none, 0, 0
	take := func(i int, q, specific int) {
		if q > bestQ || q == bestQ && q > 0 && specific > bestSpecific {
			best, bestQ, bestSpecific = i, q, specific
		}
	}
	if beside != "" {
		q, specific := preference(accept, beside, false)
		take(native, q, specific)
	}
	for i, offer := range offers {
		q, specific := preference(accept, offer, true)
		take(i, q, specific)
	}
	return best
}

// byName is the specificity of a media type that a header names itself.
const byName = 3

// preference returns the quality that an Accept header gives to a media type, from its most specific range that matches: byName, 2 its main
// type, 1 anything. For a type of FHIR only ranges count that R4 in UTF-8 satisfies.
func preference(accept []string, offer string, fhir bool) (q, specific int) {
	main, _, _ := strings.Cut(offer, "/")
	for _, line := range accept {
		for line != "" {
			var item string
			item, line = cut(line, ',')
			m := parseMediaType(item)
			if fhir && !m.speaksR4() {
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
