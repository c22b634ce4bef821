package terminology

// Members are the members of a value set, for many questions about single codes. They do not change, and outlive their Snapshot.
type Members struct {
	stored bool // else the definitions know them, or nobody
	known  bool
	pairs  map[[2]string]bool
	codes  map[string]bool
	of     *Terminology
	name   string
}

// Members returns the members of a value set, by its canonical or "ValueSet/id".
func (s *Snapshot) Members(valueSet string) *Members {
	m := &Members{of: s.of, name: valueSet}
	if _, m.stored = s.stored(valueSetType, valueSet); !m.stored {
		return m
	}
	m.pairs, m.codes = make(map[[2]string]bool), make(map[string]bool)
	codes, ok := s.Expand(valueSet)
	if m.known = ok; ok {
		for system, code := range codes {
			m.pairs[[2]string{system, code}], m.codes[code] = true, true
		}
	}
	return m
}

// Contains reports whether a code is a member; in any system where system is "". known is false where nothing here can tell.
func (m *Members) Contains(system, code string) (member, known bool) {
	switch {
	case !m.stored:
		return m.of.registry.ValueSetContains(m.name, system, code)
	case system == "":
		return m.codes[code], m.known
	}
	return m.pairs[[2]string{system, code}], m.known
}

// Subsumes reports whether code a is b or above it in the hierarchy of a system. known is false where the hierarchy is not.
func (s *Snapshot) Subsumes(system, a, b string) (subsumes, known bool) {
	if a == b {
		return true, true
	}
	above, ok := s.Ancestors(system, b)
	if !ok || s.err != nil {
		return false, false
	}
	for code := range above {
		if code == a {
			return true, true
		}
	}
	return false, true
}
