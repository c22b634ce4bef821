package search

import (
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// Contained resources (https://hl7.org/fhir/R4/references.html#contained) are found through their container: "a chained condition will be
// evaluated inside contained resources" (https://hl7.org/fhir/R4/search.html#contained). So are resources that stand in place, as the Composition
// of a document Bundle.
//
// A container has for each of them an entry under "#Type" with its id and, as Inner, the entries that it is found by itself; the same once more
// under "#Type.parameter", by which indexes find the container; and for each reference to it an entry under "parameter:contained". What stands
// in place has "@" for "#". A resource with neither has no such entries.

// The first byte of the names of entries about contained resources, and of those about resources that stand in place.
const (
	markContained = "#"
	markInPlace   = "@"
)

// Within holds where the resource contains a resource of type Target for which Where holds and which a reference of the parameter Param points
// to; any of the type where Param is "". With InPlace it is about what stands in place. Inside Where nothing refers to the held resource but what
// it is held with. Its id, which is unique in its container alone, is what KeyIn asks for where Param is ""; a chain finds no resource by it.
type Within struct {
	Param   string
	Target  string
	InPlace bool
	Where   Expr
}

func (Within) expr() {}

// Holder returns the name of the entries that hold what w asks about.
func (w Within) Holder() string {
	if w.InPlace {
		return markInPlace + w.Target
	}
	return markContained + w.Target
}

// References returns the name of the entries of references that w looks at; "" for any resource.
func (w Within) References() string {
	if w.Param == "" {
		return ""
	}
	return w.Param + suffixContained
}

// Needed returns a condition on the container's own entries that holds wherever w does, for indexes to begin with. It is no Within.
func (w Within) Needed() Expr {
	if x := lifted(w.Holder(), w.Where, w.Param == ""); x != nil {
		return x
	}
	return holding(w.Holder(), w.Target)
}

// holding returns the condition that there is an entry of a holder, in the form that indexes serve.
func holding(holder, typ string) Some {
	return Some{Param: holder, Where: []Comparison{{Field: Type, Op: Eq, Value: typ}}}
}

// lifted returns a condition on a container that is necessary for e to hold for one of its held resources; nil for none.
func lifted(holder string, e Expr, ids bool) Expr {
	switch e := e.(type) {
	case Some:
		return Some{Param: holder + "." + e.Param, Where: e.Where}
	case KeyIn:
		list := make([]condition, len(e.IDs))
		for i, id := range e.IDs {
			list[i].where = []Comparison{{Field: ID, Op: Eq, Value: id}}
		}
		if len(list) == 0 || !ids {
			return Or{}
		}
		return expr(holder, list)
	case And:
		var out []Expr
		for _, c := range e {
			if x := lifted(holder, c, ids); x != nil {
				out = append(out, x)
			}
		}
		return allOf(out)
	case Or:
		out := make(Or, 0, len(e))
		for _, c := range e {
			x := lifted(holder, c, ids)
			if x == nil {
				return nil
			}
			out = append(out, x)
		}
		return out
	case Refers:
		return Some{Param: holder + "." + e.Param, Where: []Comparison{{Field: Type, Op: Eq, Value: e.Target}}}
	case Within:
		return Some{Param: holder + "." + e.References(), Where: []Comparison{{Field: Type, Op: Eq, Value: e.Target}}}
	}
	return nil
}

// EachHeld calls f with what w asks about: the key and the entries of each resource that it may be about, until f returns false. entries are those
// of the resource that w is a condition on, and outer those of its container, or the same where it has none. inner are then those for conditions inside.
func (w Within) EachHeld(entries, outer []Entry, f func(key fhir.Key, inner, outer []Entry) bool) {
	holder, name := w.Holder(), w.References()
	one := func(e *Entry) bool {
		key := fhir.Key{Type: holder, ID: e.ID} // which no reference has
		if name != "" {
			key.ID = markContained + key.ID
		}
		if w.InPlace {
			return f(key, e.Inner.Entries, e.Inner.Entries)
		}
		return f(key, e.Inner.Entries, outer)
	}
	held := outer
	if w.InPlace {
		held = entries
	}
	if name == "" {
		for i := range held {
			if e := &held[i]; e.Param == holder && e.Inner != nil && !one(e) {
				return
			}
		}
		return
	}
	var referred map[string]bool
	for i := range entries {
		if ref := &entries[i]; ref.Param == name && ref.Type == w.Target {
			if referred == nil {
				referred = make(map[string]bool)
			}
			referred[ref.ID] = true
		}
	}
	if referred == nil {
		return
	}
	for i := range held {
		if e := &held[i]; e.Param == holder && referred[e.ID] && e.Inner != nil && !one(e) {
			return
		}
	}
}

// Holding returns the condition that a resource holds one of the types.
func Holding(types []string) Expr {
	list := make(Or, 0, 2*len(types))
	for _, typ := range types {
		list = append(list, holding(markContained+typ, typ), holding(markInPlace+typ, typ))
	}
	return list
}

// HeldParameter returns type and parameter of the held resources whose entries a container has under a name; ok is false for every other name.
func HeldParameter(name string) (typ, param string, ok bool) {
	if !strings.HasPrefix(name, markContained) && !strings.HasPrefix(name, markInPlace) {
		return "", "", false
	}
	return strings.Cut(name[1:], ".")
}

// checkContained refuses what can't be answered of contained resources.
func (q *reading) checkContained(req *Request) error {
	if req.Contained == ContainedFalse {
		return nil
	}
	for _, s := range req.Sort {
		switch {
		case s.Chain != nil:
			return badValue(fhir.IDBadSort, "contained resources have no order over references")
		case len(req.Types) > 1 && s.Param != SortByID && s.Param != lastUpdated:
			return badValue(fhir.IDBadSort, "contained resources of several types have the orders _id and _lastUpdated alone, those of their containers")
		}
	}
	if req.ContainedAlone && (req.CountOnly() || req.Total == TotalAccurate || req.Total == TotalEstimate) {
		return badValue(fhir.IDBadTotal, "matches are found by their containers, which are not counted as contained resources; use _containedType=container")
	}
	return nil
}

// Finds returns what a request finds as queries for resources that stand on their own, of which no two find the same resource and all have one
// order: what matches itself comes by its own values, and what only contains matches by those of what it contains.
func (s *Parameters) Finds(req Request) []Query {
	own := Query{Types: req.Types, Where: req.Where, Sort: req.Sort}
	if req.Contained == ContainedFalse {
		return []Query{own}
	}
	var containers Query
	inside := make([]Expr, len(req.Types))
	for i, typ := range req.Types {
		inside[i] = Within{Target: typ, Where: req.Where}
	}
	containers.Where = anyOf(inside)
	for _, typ := range s.registry.ResourceTypes() {
		if t, ok := s.registry.Resource(typ); ok && t.Child("contained") != nil && (req.Contained == ContainedTrue || !slices.Contains(req.Types, typ)) {
			containers.Types = append(containers.Types, typ)
		}
	}
	for _, o := range req.Sort {
		containers.Sort = append(containers.Sort, ContainedSort(req.Types[0], o))
	}
	if req.Contained == ContainedTrue {
		return []Query{containers}
	}
	if req.Where == nil {
		return []Query{own, containers}
	}
	both := containers // of the types searched, which may match themselves too
	both.Types, both.Where = req.Types, And{containers.Where, Not{Expr: req.Where}}
	return []Query{own, both, containers}
}

// ContainedMatches returns the ids of the contained resources of type target that satisfy where, in a container that has the entries.
func ContainedMatches(target string, where Expr, entries []Entry, lookup Lookup) map[string]bool {
	ids := make(map[string]bool)
	Within{Target: target}.EachHeld(entries, entries, func(key fhir.Key, inner, outer []Entry) bool {
		if !ids[key.ID] && match(where, key, inner, outer, lookup) {
			ids[key.ID] = true
		}
		return true
	})
	return ids
}

// ContainedSort returns the order of containers that is s for contained resources of a type.
func ContainedSort(target string, s Sort) Sort {
	if s.Param != SortByID && s.Param != lastUpdated {
		s.Param = markContained + target + "." + s.Param
	}
	return s
}

// AppendHeld appends the entries that a resource has of one that it contains, or that stands in place in it, and has the entries inner.
func AppendHeld(dst []Entry, inPlace bool, typ, id string, inner []Entry) []Entry {
	return appendHeld(dst, Within{Target: typ, InPlace: inPlace}.Holder(), typ, id, inner)
}

// ToHeld returns the entry of a reference of a parameter to what the resource holds.
func ToHeld(param, typ, id string) Entry {
	return Entry{Param: param + suffixContained, Type: typ, ID: id}
}

func appendHeld(dst []Entry, holder, typ, id string, inner []Entry) []Entry {
	dst = append(dst, Entry{Param: holder, Type: typ, ID: id, Inner: &Inner{inner}})
	for _, e := range inner {
		if e.Inner != nil {
			continue
		}
		e.Param = holder + "." + e.Param
		dst = append(dst, e)
	}
	return dst
}

// heldIn is a resource that another holds.
type heldIn struct {
	holder, typ, id string
	node            fhir.Node
}

// containedOf returns the resources that r contains.
func containedOf(r fhir.Resource) []heldIn {
	var out []heldIn
	for c := r.Get("contained").First(); c.Valid(); c = c.Next() {
		if inner, err := fhir.AsResource(c); err == nil && inner.ID() != "" {
			out = append(out, heldIn{markContained + inner.Type(), inner.Type(), inner.ID(), c})
		}
	}
	return out
}

// refersInside notes that the current rule refers to "#id".
func (x *extraction) refersInside(id string) {
	for i := range x.contained {
		if c := &x.contained[i]; c.id == id && x.rule.plain != "" {
			x.inside = append(x.inside, Entry{Param: x.rule.names.contained, Type: c.typ, ID: id})
			return
		}
	}
}

// standsInPlace notes that the current rule yields a resource.
func (x *extraction) standsInPlace(r fhir.Resource) {
	if x.rule.plain == "" { // a component of a composite
		return
	}
	id := markInPlace + strconv.Itoa(r.Index())
	x.inside = append(x.inside, Entry{Param: x.rule.names.contained, Type: r.Type(), ID: id})
	if !slices.ContainsFunc(x.inPlace, func(h heldIn) bool { return h.id == id }) {
		x.inPlace = append(x.inPlace, heldIn{markInPlace + r.Type(), r.Type(), id, r.Node})
	}
}

// held appends the entries about what the resource holds.
func (x *extraction) held(container bool) {
	x.entries = append(x.entries, x.inside...)
	if container {
		for _, h := range x.contained {
			x.holds(h, x.contained)
		}
	}
	for _, h := range x.inPlace {
		x.holds(h, nil)
	}
}

func (x *extraction) holds(h heldIn, contained []heldIn) {
	inner, err := x.params.extract(fhir.Resource{Node: h.node}, contained)
	if fhir.KindOf(err) == fhir.KindTooLarge {
		x.tooMany = err
	} else if err != nil {
		return // its type is none of R4
	}
	x.entries = appendHeld(x.entries, h.holder, h.typ, h.id, inner)
}
