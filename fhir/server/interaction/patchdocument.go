package interaction

import (
	"encoding/base64"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/patch"
)

// jsonPatch is the media type of a JSON Patch (RFC 6902).
const jsonPatch = "application/json-patch+json"

// PatchTypes are the media types of patches that are no resources.
var PatchTypes = []string{jsonPatch}

// readPatch reads the patch that a request carries (R4 http, 3.1.0.7 patch): Parameters are a FHIRPath Patch, and a Binary has a JSON Patch as its
// content.
func (s *Service) readPatch(document fhir.Resource) (Patch, error) {
	limits := patch.Limits{Depth: s.served.Load().Depth}
	switch document.Type() {
	case "Parameters":
		p, err := patch.ParseFHIRPath(s.registry, document, limits)
		if err != nil {
			return nil, err
		}
		return p.Apply, nil
	case "Binary":
		name, _, _ := strings.Cut(document.Get("contentType").Text(), ";")
		if strings.TrimSpace(strings.ToLower(name)) != jsonPatch {
			return nil, &fhir.Error{Kind: fhir.KindMediaType, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueNotSupported, ID: fhir.IDContentType,
				Text: "a patch is " + jsonPatch + ", or a Parameters resource with a FHIRPath Patch", Expression: "Binary.contentType"}}}
		}
		text := strings.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
				return -1
			}
			return r
		}, document.Get("data").Text())
		content, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, &fhir.Error{Kind: fhir.KindInvalid, Issues: []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueValue, ID: fhir.IDPatchMalformed,
				Text: "the Binary's data is not base64", Expression: "Binary.data"}}}
		}
		p, err := patch.ParseJSON(content, limits)
		if err != nil {
			return nil, err
		}
		return p.Apply, nil
	}
	return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDPatchMalformed, "a patch is a Parameters resource with a FHIRPath Patch, or a Binary with a JSON Patch")
}
