package fhir

// EachReference calls f with the literal references at n and below it, contained resources and extensions included.
func EachReference(n Node, f func(n Node)) {
	for c := range n.Children() {
		switch c.Kind() {
		case Object, Array:
			EachReference(c, f)
		case String:
			if c.Name() == "reference" {
				f(c)
			}
		}
	}
}
