package interaction

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Capability is what a client asks of the server's description of itself (R4 http, 3.1.0.10 capabilities).
type Capability struct {
	// Base is the server's base URL, as the client knows it.
	Base string
	// Terminology asks for the TerminologyCapabilities (mode=terminology). The modes full and normative are the same CapabilityStatement: all that is in it
	// is normative.
	Terminology bool
	// Types are the resource types that the CapabilityStatement is of, sorted; nil for all.
	Types []string
}

// Capability reads the parameters mode and _type of a request for the capabilities. The latter is this server's own: the statement of all types is large.
func (s *Service) Capability(q *Request) (Capability, error) {
	c := Capability{Base: q.Base}
	for _, p := range q.Parameters {
		switch p.Name {
		case "mode":
			switch p.Value {
			case "full", "normative":
			case "terminology":
				c.Terminology = true
			default:
				return c, fhir.NewError(fhir.KindInvalid, fhir.IssueValue, fhir.IDInvalidParameter, "mode is full, normative or terminology")
			}
		case "_type":
			for t := range strings.SplitSeq(p.Value, ",") {
				if err := s.knownType(t); err != nil {
					return c, err
				}
				c.Types = append(c.Types, t)
			}
		}
	}
	slices.Sort(c.Types)
	c.Types = slices.Compact(c.Types)
	return c, nil
}

// capabilities returns the CapabilityStatement or the TerminologyCapabilities.
func (s *Service) capabilities(q *Request) (Response, error) {
	statement := s.served.Load().Capabilities
	if statement == nil {
		return Response{}, fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDNoCapabilities, "there is no CapabilityStatement here")
	}
	c, err := s.Capability(q)
	if err != nil {
		return Response{}, err
	}
	body, err := s.view(statement(c), &q.View)
	return Response{Status: http.StatusOK, Resource: body}, err
}
