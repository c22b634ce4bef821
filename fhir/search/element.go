package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// elementSet is what an expression's text tells of the elements it reads.
type elementSet struct {
	types     []string // data types
	valueSets []string // required value sets of elements of type code
	// targets are, by the resource type that a branch begins with, the types that its references may point to; "" among them for any.
	targets map[string][]string
	// required are, by the resource type that a branch begins with, the required value sets of its elements; "" among them for an element
	// that has none.
	required map[string][]string
	// unknown is set where some branch is not a plain path, so that types and valueSets may be incomplete.
	unknown bool
}

// resolveElements follows the plain paths of a SearchParameter's expression through the definitions. It serves questions that are asked of
// a parameter without a resource at hand: which modifiers make sense, and which systems are implied. It evaluates nothing.
func resolveElements(reg *definition.Registry, expression string) elementSet {
	var set elementSet
	for _, branch := range splitUnion(expression) {
		set.follow(reg, branch)
	}
	return set
}

// splitUnion splits an expression at the "|" outside of parentheses and quotes.
func splitUnion(expression string) []string {
	var parts []string
	depth, start, quoted := 0, 0, false
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == '|' && depth == 0:
			parts = append(parts, strings.TrimSpace(expression[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(expression[start:]))
}

// follow adds what one branch reads.
func (s *elementSet) follow(reg *definition.Registry, branch string) {
	inner, rest := branch, ""
	if strings.HasPrefix(branch, "(") {
		end := max(closing(branch), 1)
		inner, rest = branch[1:end], branch[min(end+1, len(branch)):]
	}
	as := ""
	if path, typ, ok := strings.Cut(inner, " as "); ok {
		inner, as = strings.TrimSpace(path), strings.TrimSpace(typ)
	}
	if strings.ContainsAny(outside(inner), " =") {
		if strings.Contains(inner, " != ") || strings.Contains(inner, "exists()") {
			s.add("boolean")
		} else {
			s.unknown = true
		}
		return
	}
	path := steps(inner)
	t, ok := reg.Resource(path[0])
	if !ok {
		if t, ok = reg.Type(path[0]); !ok {
			s.unknown = true
			return
		}
	}
	at := []definition.TypeRef{{Type: t}}
	var element *definition.Element
	walk := func(step string) {
		if arg, ok := strings.CutPrefix(step, "as("); ok {
			at = narrow(at, strings.TrimSuffix(arg, ")"))
			return
		}
		if strings.HasPrefix(step, "where(") || strings.HasPrefix(step, "first(") {
			return
		}
		if i := strings.IndexByte(step, '['); i > 0 {
			step = step[:i]
		}
		var next []definition.TypeRef
		for _, ref := range at {
			if e := ref.Type.Child(step); e != nil {
				element = e
				next = append(next, e.Types...)
			}
		}
		at = next
	}
	for _, step := range path[1:] {
		walk(step)
	}
	if as != "" {
		at = narrow(at, as)
	}
	if rest = strings.TrimPrefix(rest, "."); rest != "" {
		for _, step := range steps(rest) {
			walk(step)
		}
	}
	if len(at) == 0 {
		s.unknown = true
	}
	for _, ref := range at {
		s.add(ref.Type.Name)
		s.require(t.Name, element)
		if _, of, ok := strings.Cut(branch, "resolve() is "); ok {
			s.target(t.Name, strings.TrimRight(of, ") "))
		} else if len(ref.Targets) == 0 {
			s.target(t.Name, "")
		} else {
			for _, target := range ref.Targets {
				s.target(t.Name, target)
			}
		}
		if ref.Type.Name == "code" && element != nil && element.Binding != nil && !slices.Contains(s.valueSets, element.Binding.ValueSet) {
			s.valueSets = append(s.valueSets, element.Binding.ValueSet)
		}
	}
}

func (s *elementSet) add(typ string) {
	if !slices.Contains(s.types, typ) {
		s.types = append(s.types, typ)
	}
}

func (s *elementSet) target(typ, target string) {
	if s.targets == nil {
		s.targets = make(map[string][]string)
	}
	if !slices.Contains(s.targets[typ], target) {
		s.targets[typ] = append(s.targets[typ], target)
	}
}

// require adds the required value set of an element, "" where it has none.
func (s *elementSet) require(typ string, e *definition.Element) {
	set := ""
	if e != nil && e.Binding != nil && e.Binding.Strength == "required" {
		set = e.Binding.ValueSet
	}
	if s.required == nil {
		s.required = make(map[string][]string)
	}
	if !slices.Contains(s.required[typ], set) {
		s.required[typ] = append(s.required[typ], set)
	}
}

// narrow keeps the types that are, or specialize, the one named.
func narrow(refs []definition.TypeRef, name string) []definition.TypeRef {
	var out []definition.TypeRef
	for _, r := range refs {
		if r.Type.Is(name) {
			out = append(out, r)
		}
	}
	return out
}

// closing returns the index of the parenthesis that closes the one s starts with; len(s)-1 where none does.
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(s) - 1
}

// outside returns what of s stands outside of parentheses.
func outside(s string) string {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		default:
			if depth == 0 {
				b.WriteByte(s[i])
			}
		}
	}
	return b.String()
}

// steps splits a path at the points outside of parentheses.
func steps(path string) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(path); i++ {
		switch path[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '.':
			if depth == 0 {
				parts = append(parts, path[start:i])
				start = i + 1
			}
		}
	}
	return append(parts, path[start:])
}
