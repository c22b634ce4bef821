package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// References (https://hl7.org/fhir/R4/search.html#reference): a local one is a type and an id, whatever way it is written and whichever
// version it names; anything else is the URI as it stands.

// target is what a reference's text points to: a local resource, of which it may name a version, or a URI.
type target struct{ typ, id, version, uri string }

// readReference reads the text of a reference or canonical. Local are "Type/id", with "/_history/n" or without, and absolute URLs under one
// of the server's base URLs. ok is false for "" and for references into the resource itself ("#id").
func (s *Parameters) readReference(text string) (t target, ok bool) {
	if text == "" || text[0] == '#' {
		return t, false
	}
	local := text
	if strings.IndexByte(text, ':') > 0 {
		local = ""
		for _, b := range s.bases {
			if rest, ok := strings.CutPrefix(text, b); ok {
				local = rest
				break
			}
		}
	}
	if typ, id, version, ok := splitVersioned(local); ok {
		return target{typ: typ, id: id, version: version}, true
	}
	return target{uri: text}, true
}

// readReference is that of Parameters, for a request whose client may know the server by a name of its own.
func (q *reading) readReference(text string) (t target, ok bool) {
	if base := q.opt.Base; base != "" {
		if rest, own := strings.CutPrefix(text, base+"/"); own {
			text = rest
		}
	}
	return q.params.readReference(text)
}

// Bases returns the server's own base URLs, without a trailing slash.
func (s *Parameters) Bases() []string { return slices.Clip(s.ownBases) }

// Local reads a reference to a resource of this server: "Type/id", with "/_history/version" or without, relative or below one of the
// server's base URLs. ok is false for all others.
func (s *Parameters) Local(reference string) (key fhir.Key, ok bool) {
	t, ok := s.readReference(reference)
	return fhir.Key{Type: t.typ, ID: t.id}, ok && t.id != ""
}

// splitLocal reads "Type/id" or "Type/id/_history/n".
func splitLocal(s string) (typ, id string, ok bool) {
	typ, id, _, ok = splitVersioned(s)
	return typ, id, ok
}

// splitVersioned is splitLocal with the version, "" where none is named.
func splitVersioned(s string) (typ, id, version string, ok bool) {
	slash := strings.IndexByte(s, '/')
	if slash < 1 {
		return "", "", "", false
	}
	typ, id = s[:slash], s[slash+1:]
	if i := strings.IndexByte(id, '/'); i >= 0 {
		if version, ok = strings.CutPrefix(id[i:], "/_history/"); !ok || !fhir.ValidID(version) {
			return "", "", "", false
		}
		id = id[:i]
	}
	return typ, id, version, fhir.ValidTypeName(typ) && fhir.ValidID(id)
}

// localTarget compares with a local reference.
func localTarget(typ, id string) condition {
	return condition{where: []Comparison{{Field: Type, Op: Eq, Value: typ}, {Field: ID, Op: Eq, Value: id}}}
}

// referenceCondition compares a reference with "id", "Type/id" or a URL. of is the type that the modifier :[type] names, "" without one; an
// id alone stands for each type the parameter may point to ("if a reference value is a relative URL, it is any type of resource").
func (q *reading) referenceCondition(p *Parameter, of, value string) ([]condition, error) {
	if fhir.ValidID(value) {
		targets := q.targets(p)
		if of != "" {
			targets = []string{of}
		} else if len(targets) == 0 {
			return one(Comparison{Field: ID, Op: Eq, Value: value}), nil
		}
		out := make([]condition, len(targets))
		for i, t := range targets {
			out[i] = localTarget(t, value)
		}
		if p.has("canonical") {
			out = append(out, canonicalCondition(value, true)...)
		}
		return out, nil
	}
	t, ok := q.readReference(value)
	switch {
	case !ok:
		return nil, badValue(fhir.IDBadReference, `a reference is "id", "Type/id" or a URL`)
	case t.uri == "":
		if _, known := q.params.registry.Resource(t.typ); !known {
			return nil, badValue(fhir.IDBadReference, `a reference is "Type/id" with a resource type of R4`)
		}
		if of != "" && of != t.typ {
			return nil, badValue(fhir.IDBadReference, "the reference is not of the type that the modifier names")
		}
		local := []condition{localTarget(t.typ, t.id)}
		if p.namesByURL() && strings.IndexByte(value, ':') > 0 {
			local = append(local, canonicalCondition(value, p.has("canonical"))...)
		}
		return local, nil
	case strings.IndexByte(value, ':') <= 0:
		return nil, badValue(fhir.IDBadReference, `a reference is "id", "Type/id" or a URL`)
	case of != "":
		return nil, badValue(fhir.IDBadReference, "the type of a resource on another server is unknown, so :[type] cannot be used with an absolute URL")
	}
	return canonicalCondition(value, p.has("canonical")), nil
}

// targets returns the types that p may point to on the resources that are being asked for; empty for any.
func (q *reading) targets(p *Parameter) []string {
	var out []string
	for _, typ := range q.types {
		t := p.targetsOn(typ)
		if len(t) == 0 {
			return nil
		}
		out = append(out, t...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// maxHierarchy is how many levels of a hierarchy :above and :below on references follow.
const maxHierarchy = 12

// hierarchyCondition follows a hierarchy (https://hl7.org/fhir/R4/search.html#recurse: "Procedure?location:below=42 ... would return not
// only all procedures that occurred at location 42, but also any that occurred in locations that are part of location 42"). The hierarchy is
// the parameter of the target's type that points to the same type and tells the part from the whole. It is followed for maxHierarchy levels.
func (q *reading) hierarchyCondition(p *Parameter, m modifier, value string) (Expr, error) {
	typ, id, ok := splitLocal(value)
	if !ok {
		if targets := q.targets(p); len(targets) == 1 && fhir.ValidID(value) {
			typ, id = targets[0], value
		} else {
			return nil, badValue(fhir.IDBadReference, `with :above and :below a reference is "Type/id"`)
		}
	}
	var parent string
	for _, c := range q.params.Of(typ) {
		if c.Type == "reference" && slices.Contains(hierarchies, c.Code) && c.PointsTo(typ) {
			parent = c.Code
		}
	}
	if parent == "" {
		return nil, badValue(fhir.IDBadReference, "resources of that type form no hierarchy")
	}
	self := Some{Param: p.Code, Where: localTarget(typ, id).where}
	list := Or{self}
	if m == modifierBelow {
		above := Expr(Some{Param: parent, Where: self.Where})
		for range maxHierarchy {
			list = append(list, Refers{Param: p.Code, Target: typ, Where: above})
			above = Refers{Param: parent, Target: typ, Where: above}
		}
		return list, nil
	}
	below := Expr(KeyIn{IDs: []string{id}})
	for range maxHierarchy {
		below = Referred{Source: typ, Param: parent, Where: below}
		list = append(list, Refers{Param: p.Code, Target: typ, Where: below})
	}
	return list, nil
}

// hierarchies are the codes of the parameters by which a resource points to the whole that it is a part of.
var hierarchies = []string{"partof", "part-of"}

// reference appends what a Reference, a canonical or a URI points to, and a Reference's identifier. A resource that stands in place (the first
// entry of a document) is pointed to by its own type and id.
func (x *extraction) reference(it *fhirpath.Item) {
	n := it.Node()
	switch it.Type() {
	case "Reference":
		x.putTarget(textOf(n.Get("reference")))
		if id := n.Get("identifier"); !x.collects && id.Valid() {
			x.coding(x.rule.names.identifier, id, "value")
		}
		return
	case "canonical", "uri", "url", "oid", "uuid":
		x.putCanonical(it.Text())
		return
	}
	r, err := fhir.AsResource(n)
	if err != nil {
		return
	}
	if !x.rule.param.PointsTo(r.Type()) {
		return // as the first entry of a Bundle that is neither a document nor a message
	}
	if fhir.ValidID(r.ID()) {
		x.putReference(target{typ: r.Type(), id: r.ID()})
	}
	if !x.collects {
		x.standsInPlace(r)
	}
}

func (x *extraction) putTarget(text string) {
	t, ok := x.params.readReference(text)
	if !ok {
		if len(x.contained) > 0 && len(text) > 1 {
			x.refersInside(text[1:])
		}
		return
	}
	x.putReference(t)
	if t.version != "" && !x.collects {
		x.put(Entry{Param: x.rule.names.versioned, Code: namesVersion})
	}
}

func (x *extraction) putReference(t target) {
	if x.collects {
		x.references = append(x.references, Reference{Param: x.rule.plain, Key: fhir.Key{Type: t.typ, ID: t.id}, Version: t.version, URI: t.uri})
		return
	}
	x.put(Entry{Param: x.rule.plain, Type: t.typ, ID: t.id, URI: t.uri})
}

// putCanonical appends a canonical or URI as it stands, and where it has a fragment, "url|version#part", without that too. One below a base
// of the server may also be meant as a reference.
func (x *extraction) putCanonical(text string) {
	x.putTarget(text)
	if strings.IndexByte(text, ':') <= 0 {
		return
	}
	x.putReference(target{uri: text})
	if i := strings.IndexByte(text, '#'); i > 0 {
		x.putReference(target{uri: text[:i]})
	}
}
