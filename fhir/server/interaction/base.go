package interaction

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// names are all the base URLs that are this server's own, without a trailing slash: the one that the client of a request used, and those that it was
// started with. Whatever a request names by URL is told by them: request.url and ifNoneExist of entries, fullUrls, references and search values.
type names []string

// baseKey is the key of the base that a context carries.
type baseKey struct{}

// withBase returns a context in which what a request names by URL is told from the base that its client uses as well.
func (s *Service) withBase(ctx context.Context, base string) context.Context {
	if base == "" || slices.Contains(s.parameters.Bases(), base) {
		return ctx
	}
	return context.WithValue(ctx, baseKey{}, base)
}

// baseIn returns the base that a context carries; "" for none but the server's own.
func baseIn(ctx context.Context) string {
	base, _ := ctx.Value(baseKey{}).(string)
	return base
}

// names returns the server's names for a request whose base the client sees as base.
func (s *Service) names(base string) names {
	own := s.parameters.Bases()
	if base == "" || slices.Contains(own, base) {
		return own
	}
	return append(names{base}, own...)
}

// cut returns what follows the base of a URL and its slash; ok is false where the URL is not below one of the names.
func (n names) cut(url string) (rest string, ok bool) {
	for _, base := range n {
		if rest, ok := strings.CutPrefix(url, base); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
			return strings.TrimPrefix(rest, "/"), true
		}
	}
	return url, false
}

// ownReferences returns r with every reference to a resource of this server that is written as a URL written as [type]/[id], so that it stays one when
// the server is reached by another name. The URL of an attachment is one too. A Bundle that is stored keeps its references, which name its own entries.
func (s *Service) ownReferences(r fhir.Resource, base string) (fhir.Resource, error) {
	own := s.names(base)
	if !slices.ContainsFunc(own, func(name string) bool {
		_, host, _ := strings.Cut(name, "://")
		host, _, _ = strings.Cut(host, "/")
		return host != "" && bytes.Contains(r.Raw(), []byte(host))
	}) {
		return r, nil
	}
	var edits []fhir.Edit
	var walk func(n fhir.Node)
	walk = func(n fhir.Node) {
		for c := range n.Children() {
			switch {
			case isBundle(c):
			case c.Kind() == fhir.Object || c.Kind() == fhir.Array:
				walk(c)
			case c.Kind() == fhir.String && (c.Name() == "reference" || c.Name() == "url"):
				rest, ok := own.cut(c.Text())
				if !ok {
					continue
				}
				if _, local := s.localKey(withoutFragment(rest)); local && (c.Name() == "reference" || isAttached(s.registry, c)) {
					start, end := c.Span()
					edits = append(edits, fhir.Edit{Start: start, End: end, Text: fhir.AppendString(nil, rest)})
				}
			}
		}
	}
	if !isBundle(r.Node) {
		walk(r.Node)
	}
	if len(edits) == 0 {
		return r, nil
	}
	return fhir.ParseResource(r.AppendEdited(make([]byte, 0, len(r.Raw())), edits), fhir.Limits{})
}

// isAttached reports whether the string n, a member "url", is that of an attachment: elements of that name in other types name no resource to read.
func isAttached(registry *definition.Registry, n fhir.Node) bool {
	t := typeOf(registry, n.Parent())
	return t != nil && t.Name == "Attachment"
}

// withoutFragment returns a reference without what follows a number sign.
func withoutFragment(reference string) string {
	reference, _, _ = strings.Cut(reference, "#")
	return reference
}

// patchOf returns the patch that a request's body states: a Binary with a JSON Patch, or Parameters with a FHIRPath Patch. What it makes has its own
// references as ownReferences writes them.
func (s *Service) patchOf(document fhir.Resource, base string) (Patch, error) {
	p, err := s.opt.patch(document)
	if err != nil {
		return nil, err
	}
	return func(current fhir.Resource) ([]byte, error) {
		body, err := p(current)
		if err != nil {
			return nil, err
		}
		r, err := fhir.ParseResource(body, fhir.Limits{})
		if err != nil {
			return nil, err
		}
		if r, err = s.ownReferences(r, base); err != nil {
			return nil, err
		}
		return r.Raw(), nil
	}, nil
}
