package interaction

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// readIfNoneExist returns the condition of a conditional create on typ as a query, from what a client sends as If-None-Exist or as
// Bundle.entry.request.ifNoneExist. R4 asks for the query alone ("just the search parameters (what would be in the URL following the '?')",
// http://hl7.org/fhir/R4/http.html#ccreate); clients and R4's own examples also write "?query", "[type]?query" and "[base]/[type]?query".
func (s *Service) readIfNoneExist(text, typ, base string) (query string, err error) {
	query = strings.TrimSpace(text)
	if head, after, ok := strings.Cut(query, "?"); ok && !strings.Contains(head, "=") {
		if head, _ = s.names(base).cut(head); head != "" && head != typ {
			return "", fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDIfNoneExist, "the condition of a conditional create names what is not "+typ+" on this server")
		}
		query = after
	}
	if query == "" {
		return "", fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDIfNoneExist, "the condition of a conditional create needs search parameters, such as identifier=http://example.org|1")
	}
	_, err = search.ReadQuery(query)
	return query, err
}
