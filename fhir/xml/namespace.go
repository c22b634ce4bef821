package xml

import (
	"github.com/fhirgate/fhirgate/fhir"
)

// The namespaces in scope (Namespaces in XML 1.0, 6 Applying Namespaces to Elements and Attributes).

// enter pushes the element of a start tag with the namespaces that it declares, and resolves the names of the tag.
func (s *scanner) enter(name []byte, declared bool) error {
	t := &s.tok
	ns := noSpace
	if len(s.spaces) > 0 {
		ns = s.spaces[len(s.spaces)-1]
	}
	if declared {
		for i := range t.attrs {
			a := &t.attrs[i]
			isDefault := len(a.prefix) == 0 && string(a.local) == "xmlns"
			if !isDefault && string(a.prefix) != "xmlns" {
				continue
			}
			uri := string(a.value)
			if a.mask&(isEntity|isBreak) != 0 {
				uri = string(appendDecoded(nil, a.value))
			}
			to := spaceOf(uri)
			if isDefault {
				if to == xmlSpace {
					return s.fail(0, fhir.IDXMLNamespace, "the namespace of XML itself is not a default")
				}
				ns = to
				continue
			}
			if to == noSpace || to == xmlSpace || string(a.local) == "xml" || string(a.local) == "xmlns" || len(s.bindings) >= maxBindings {
				return s.fail(0, fhir.IDXMLNamespace, "a prefix cannot be bound to this namespace")
			}
			s.bindings = append(s.bindings, binding{string(a.local), to, len(s.open)})
		}
	}
	t.ns = ns
	if len(t.prefix) > 0 {
		var err error
		if t.ns, err = s.lookup(t.prefix); err != nil {
			return err
		}
	}
	for i := range t.attrs {
		if a := &t.attrs[i]; len(a.prefix) > 0 && string(a.prefix) != "xmlns" {
			var err error
			if a.ns, err = s.lookup(a.prefix); err != nil {
				return err
			}
		}
	}
	s.rooted = true
	s.open = append(s.open, len(s.names))
	s.names = append(s.names, name...)
	s.spaces = append(s.spaces, ns)
	s.closing = t.empty
	return nil
}

func spaceOf(uri string) space {
	switch uri {
	case "":
		return noSpace
	case fhirURI:
		return fhirSpace
	case xhtmlURI:
		return xhtmlSpace
	case schemaURI:
		return schemaInstance
	case xmlURI:
		return xmlSpace
	}
	return otherSpace
}

func (s *scanner) lookup(prefix []byte) (space, error) {
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == string(prefix) {
			return s.bindings[i].ns, nil
		}
	}
	if string(prefix) == "xml" {
		return xmlSpace, nil
	}
	return noSpace, s.fail(0, fhir.IDXMLNamespace, "a prefix is not bound to a namespace")
}

// leave pops the innermost element.
func (s *scanner) leave() {
	last := len(s.open) - 1
	s.names = s.names[:s.open[last]]
	s.open, s.spaces = s.open[:last], s.spaces[:last]
	for n := len(s.bindings); n > 0 && s.bindings[n-1].depth >= last; n-- {
		s.bindings = s.bindings[:n-1]
	}
}
