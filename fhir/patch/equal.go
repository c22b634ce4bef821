package patch

import "github.com/fhirgate/fhirgate/fhir"

// equal reports whether a and b are the same value (RFC 6902, 4.6): strings by their characters, numbers by their value, objects whatever the
// order of their members.
func equal(a *value, b fhir.Node) bool {
	if a.node.Valid() {
		return equalNodes(a.node, b)
	}
	if a.kind != b.Kind() || len(a.kids) != b.Len() {
		return false
	}
	if a.kind == fhir.Array {
		i := 0
		for c := range b.Children() {
			if !equal(a.kids[i].v, c) {
				return false
			}
			i++
		}
		return true
	}
	return equalMembers(b, func(yield func(string, func(fhir.Node) bool) bool) {
		for i := range a.kids {
			if !yield(a.kids[i].name, func(n fhir.Node) bool { return equal(a.kids[i].v, n) }) {
				return
			}
		}
	})
}

func equalNodes(a, b fhir.Node) bool {
	if a.Kind() != b.Kind() || a.Len() != b.Len() {
		return false
	}
	switch a.Kind() {
	case fhir.Null:
		return true
	case fhir.Bool, fhir.String:
		return a.Text() == b.Text()
	case fhir.Number:
		if a.Text() == b.Text() {
			return true
		}
		x, errX := fhir.ParseDecimal(a.Text())
		y, errY := fhir.ParseDecimal(b.Text())
		return errX == nil && errY == nil && x.Cmp(y) == 0
	case fhir.Array:
		y := b.First()
		for x := range a.Children() {
			if !equalNodes(x, y) {
				return false
			}
			y = y.Next()
		}
		return true
	}
	return equalMembers(b, func(yield func(string, func(fhir.Node) bool) bool) {
		for x := range a.Children() {
			if !yield(x.Name(), func(n fhir.Node) bool { return equalNodes(x, n) }) {
				return
			}
		}
	})
}

// equalMembers compares the members of an object, each a name and what compares its value, with those of b, which has as many. Large objects
// are compared through a map, so that the cost stays linear.
func equalMembers(b fhir.Node, members func(func(string, func(fhir.Node) bool) bool)) bool {
	get := b.Get
	if b.Len() > 24 {
		of := make(map[string]fhir.Node, b.Len())
		for c := range b.Children() {
			of[c.Name()] = c
		}
		get = func(name string) fhir.Node { return of[name] }
	}
	same := true
	members(func(name string, is func(fhir.Node) bool) bool {
		n := get(name)
		same = n.Valid() && is(n)
		return same
	})
	return same
}
