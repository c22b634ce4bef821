package interaction

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// requestURL is Bundle.entry.request.url, taken apart.
type requestURL struct {
	typ, id, version string
	inside           string // the type, or "*", that is searched in the compartment of typ and id
	history, search  bool
	metadata         bool // the CapabilityStatement of the server
	query            string
	hasQuery         bool
}

// parseRequestURL takes request.url apart: relative to the base, or absolute below it.
func (s *Service) parseRequestURL(n fhir.Node, base string) (u requestURL, err error) {
	bad := func(text string) error { return badEntry(fhir.IDEntryURL, text, ".request.url") }
	const form = "request.url is a URL of this server, relative to its base"
	text := n.Text()
	if !n.Valid() || n.Kind() == fhir.String && text == "" {
		return u, bad("request.url is missing; it is a URL of this server, relative to its base: [type], [type]/[id], [type]?[parameters] ...")
	}
	if n.Kind() != fhir.String {
		return u, bad(form)
	}
	if base != "" {
		text = strings.TrimPrefix(text, base)
	}
	if strings.Contains(text, "://") && !strings.Contains(text[:strings.Index(text, "://")], "?") {
		return u, bad(form)
	}
	text = strings.TrimPrefix(text, "/")
	path, query, hasQuery := strings.Cut(text, "?")
	u.query, u.hasQuery = query, hasQuery
	if path == "metadata" {
		u.metadata = true
		return u, nil
	}
	parts := strings.Split(path, "/")
	if path == "" {
		parts = nil
	}
	for _, part := range parts {
		if strings.HasPrefix(part, "$") {
			return u, &fhir.Error{Kind: fhir.KindNotSupported, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueNotSupported, ID: fhir.IDEntryOperation,
				Text: "operations are not served in a Bundle; ask for one by itself", Expression: ".request.url"}}}
		}
	}
	if n := len(parts); n > 0 && parts[n-1] == "_history" {
		u.history, parts = true, parts[:n-1]
	} else if n == 4 && parts[2] == "_history" {
		u.version, parts = parts[3], parts[:2]
	} else if n == 1 && parts[0] == "_search" || n == 2 && parts[1] == "_search" {
		u.search, parts = true, parts[:n-1]
	} else if n == 3 {
		u.inside, parts = parts[2], parts[:2]
	}
	switch len(parts) {
	case 2:
		u.id = parts[1]
		fallthrough
	case 1:
		u.typ = parts[0]
	case 0:
	default:
		return u, bad(form)
	}
	if u.typ != "" {
		err = s.knownType(u.typ)
	}
	if err == nil && u.inside != "" && u.inside != "*" {
		err = s.knownType(u.inside)
	}
	return u, whereNone(err, ".request.url")
}
