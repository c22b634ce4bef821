package interaction

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// mention is one place of a resource where an entry of its Bundle, or a search for a resource, may be named (R4 http, 3.1.0.11.2
// Transaction Processing Rules, and bundle.html, 2.36.4 Resolving references in Bundles).
type mention struct {
	node fhir.Node
	kind mentionKind
	// entry is the index of the entry that is named.
	entry int
	// rest is what follows the name of the entry, "#part"; or the condition of a conditional reference, "Patient?identifier=x|y".
	rest string
}

type mentionKind uint8

const (
	mentionLink      mentionKind = iota + 1 // the whole string names an entry
	mentionCondition                        // Reference.reference is a search
	mentionNarrative                        // the string is XHTML whose links name entries
	mentionUnknown                          // Reference.reference is a urn: that no entry has
)

// entryNames finds entries by what names them in other entries: their fullUrls, as entryName writes them.
type entryNames map[string]int

// entryName returns a fullUrl in one spelling: that of a urn: in lower case, which does not matter there (RFC 4122, section 3, and RFC 8141,
// section 3.1).
func entryName(fullURL string) string {
	if isURN(fullURL) {
		return strings.ToLower(fullURL)
	}
	return fullURL
}

// find returns the entry that text names, and what follows its name.
func (n entryNames) find(text string) (entry int, rest string, ok bool) {
	if entry, ok = n[entryName(text)]; ok {
		return entry, "", true
	}
	if i := strings.IndexByte(text, '#'); i > 0 {
		entry, ok = n[entryName(text[:i])]
		return entry, text[i:], ok
	}
	return 0, "", false
}

// mentions returns the places of r that name entries, in document order. base, with its slash, is what relative references are told from;
// "" for none. A Bundle that is stored as a resource, or contained in one, is left alone: its references name its own entries.
func mentions(registry *definition.Registry, r fhir.Resource, names entryNames, base string) []mention {
	m := mentioner{registry: registry, names: names, base: base}
	m.value(r.Node)
	return m.found
}

// patchMentions returns the places of a JSON Patch that name entries: those in the values that its operations add, and values that are a reference's text.
func patchMentions(registry *definition.Registry, operations fhir.Node, names entryNames, base string) []mention {
	m := mentioner{registry: registry, names: names, base: base}
	for op := range operations.Children() {
		switch value := op.Get("value"); value.Kind() {
		case fhir.Object, fhir.Array:
			m.value(value)
		case fhir.String:
			if strings.HasSuffix(op.Get("path").Text(), "/reference") {
				m.reference(value)
			}
		}
	}
	return m.found
}

// isBundle reports whether n is a Bundle.
func isBundle(n fhir.Node) bool {
	return n.Kind() == fhir.Object && n.Get("resourceType").Text() == "Bundle"
}

type mentioner struct {
	registry *definition.Registry
	names    entryNames
	base     string
	found    []mention
}

func (m *mentioner) children(n fhir.Node) {
	for c := n.First(); c.Valid(); c = c.Next() {
		m.value(c)
	}
}

func (m *mentioner) value(n fhir.Node) {
	switch n.Kind() {
	case fhir.Object:
		if (n.Name() == "resource" || n.Name() == "") && isBundle(n) {
			return
		}
		m.children(n)
	case fhir.Array:
		m.children(n)
	case fhir.String:
		switch name := n.Name(); name {
		case "reference":
			m.reference(n)
		case "div":
			if namesInNarrative(n.Text(), m.names) {
				m.found = append(m.found, mention{node: n, kind: mentionNarrative})
			}
		case "resourceType":
		default:
			if len(m.names) == 0 || !mayBeURL(n) {
				return
			}
			if entry, rest, ok := m.names.find(n.Text()); ok && isURI(m.registry, n) {
				m.found = append(m.found, mention{node: n, kind: mentionLink, entry: entry, rest: rest})
			}
		}
	}
}

func (m *mentioner) reference(n fhir.Node) {
	text := n.Text()
	entry, rest, ok := m.names.find(text)
	if !ok && m.base != "" && !strings.Contains(text, ":") {
		entry, rest, ok = m.names.find(m.base + text)
	}
	switch {
	case ok:
		m.found = append(m.found, mention{node: n, kind: mentionLink, entry: entry, rest: rest})
	case isURN(text):
		m.found = append(m.found, mention{node: n, kind: mentionUnknown})
	default:
		if typ, _, ok := strings.Cut(text, "?"); ok && fhir.ValidTypeName(typ) {
			m.found = append(m.found, mention{node: n, kind: mentionCondition, rest: text})
		}
	}
}

// mayBeURL reports whether a string's bytes look like a URL: cheaper than looking each up. Escapes are let through.
func mayBeURL(n fhir.Node) bool {
	raw := n.Raw()
	if len(raw) < 8 {
		return false
	}
	switch raw[1] {
	case 'u', 'h', '\\':
		return true
	}
	i := strings.IndexByte(n.Text(), ':')
	return i > 0 && i < 16
}

// isURN reports whether a reference names something inside of its Bundle only.
func isURN(s string) bool {
	return len(s) > 9 && (strings.EqualFold(s[:9], "urn:uuid:") || strings.EqualFold(s[:8], "urn:oid:"))
}

// restfulBase returns the part of a fullUrl up to its "Type/id", with the slash; "" where it is no RESTful URL.
func restfulBase(fullURL string) string {
	base, _, ok := splitRESTful(fullURL)
	if !ok {
		return ""
	}
	return base
}

// splitRESTful cuts "http://example.org/fhir/Patient/1" into its base, with the slash, and its key.
func splitRESTful(u string) (base string, key fhir.Key, ok bool) {
	if !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
		return "", fhir.Key{}, false
	}
	i := strings.LastIndexByte(u, '/')
	j := strings.LastIndexByte(u[:i], '/')
	if j < 0 {
		return "", fhir.Key{}, false
	}
	if key, ok = splitRelative(u[j+1:]); !ok {
		return "", fhir.Key{}, false
	}
	return u[:j+1], key, true
}

// splitRelative reads "Patient/1".
func splitRelative(u string) (key fhir.Key, ok bool) {
	key.Type, key.ID, _ = strings.Cut(u, "/")
	if !fhir.ValidTypeName(key.Type) || !fhir.ValidID(key.ID) {
		return fhir.Key{}, false
	}
	return key, true
}

// isURI reports whether the string n is an element of type uri or url, in which names of entries are replaced. Of the types that specialize
// uri, R4 leaves canonical out; it counts oid and uuid among those where links are replaced, but no URL of a resource can appear there.
func isURI(registry *definition.Registry, n fhir.Node) bool {
	t := typeOf(registry, n)
	return t != nil && (t.Name == "uri" || t.Name == "url")
}

// typeOf returns the type of the element that n stands for; nil where the definitions do not know it.
func typeOf(registry *definition.Registry, n fhir.Node) *definition.Type {
	if n.Kind() == fhir.Object {
		if rt := n.Get("resourceType"); rt.Kind() == fhir.String {
			t, _ := registry.Resource(rt.Text())
			return t
		}
	}
	p := n.Parent()
	if !p.Valid() {
		return nil
	}
	if p.Kind() == fhir.Array {
		return typeOf(registry, p)
	}
	parent := typeOf(registry, p)
	if parent == nil {
		return nil
	}
	_, ref := parent.JSONChild(n.Name())
	if ref == nil {
		return nil
	}
	return ref.Type
}

// resolved says what the mentions of a Bundle stand for.
type resolved struct {
	// keys are those of the entries; the zero Key where an entry stands for no resource.
	keys []fhir.Key
	// conditions are the answers to conditional references.
	conditions map[string]fhir.Key
	names      entryNames
}

// rewrite returns r with its mentions replaced by relative references, parsed again where anything was replaced.
func (v *resolved) rewrite(r fhir.Resource, found []mention) (fhir.Resource, error) {
	edits := v.edits(found)
	if len(edits) == 0 {
		return r, nil
	}
	return fhir.ParseResource(r.AppendEdited(make([]byte, 0, len(r.Raw())), edits), fhir.Limits{})
}

// edits are what puts in the place of mentions what they stand for.
func (v *resolved) edits(found []mention) []fhir.Edit {
	var edits []fhir.Edit
	for _, m := range found {
		text := m.node.Text()
		to := text
		switch m.kind {
		case mentionLink:
			if v.keys[m.entry] == (fhir.Key{}) {
				continue
			}
			to = v.keys[m.entry].String() + m.rest
		case mentionCondition:
			if key, found := v.conditions[m.rest]; found {
				to = key.String()
			}
		case mentionNarrative:
			to = rewriteNarrative(text, v.names, v.keys)
		}
		if to == text {
			continue
		}
		start, end := m.node.Span()
		edits = append(edits, fhir.Edit{Start: start, End: end, Text: fhir.AppendString(make([]byte, 0, len(to)+2), to)})
	}
	return edits
}
