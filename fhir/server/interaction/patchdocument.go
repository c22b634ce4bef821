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
		content, err := jsonPatchOf(document)
		if err != nil {
			return nil, err
		}
		p, err := patch.ParseJSON(content, limits)
		if err != nil {
			return nil, err
		}
		return p.Apply, nil
	}
	return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueInvalid, fhir.IDPatchMalformed, "a patch is a Parameters resource with a FHIRPath Patch, or a Binary with a JSON Patch")
}

// jsonPatchOf returns the JSON Patch that is a Binary's content.
func jsonPatchOf(document fhir.Resource) ([]byte, error) {
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
	return content, nil
}

// jsonPatchNode returns the operations of the JSON Patch that an entry carries; the zero Node where it carries none that can be read, which is noted
// where it is read as a patch.
func (s *Service) jsonPatchNode(document fhir.Resource) fhir.Node {
	if document.Type() != "Binary" {
		return fhir.Node{}
	}
	content, err := jsonPatchOf(document)
	if err != nil {
		return fhir.Node{}
	}
	tree, err := fhir.Parse(content, fhir.Limits{Depth: s.served.Load().Depth})
	if err != nil {
		return fhir.Node{}
	}
	return tree.Root()
}

// rewritePatch returns the patch document of an entry with the keys of what its mentions name.
func (v *resolved) rewritePatch(e *bundleEntry) (fhir.Resource, error) {
	if !e.operations.Valid() {
		return v.rewrite(e.resource, e.mentions)
	}
	content := e.operations.AppendEdited(nil, v.edits(e.mentions))
	body := append([]byte(`{"resourceType":"Binary","contentType":"`+jsonPatch+`","data":"`), base64.StdEncoding.EncodeToString(content)...)
	return fhir.ParseResource(append(body, `"}`...), fhir.Limits{})
}
