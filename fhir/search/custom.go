package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Add makes a client's SearchParameter resource known, in place of one of the same url. It is in force when Add returns: later calls of
// Extract and Parse see it, calls that are running do not. changed are the resource types whose stored resources need their entries made
// again; it is empty where nothing changed: for a parameter of R4 itself, one that is retired, and one that restates an R4 parameter of the
// same code, search type and expression, as implementation guides do; R4's stays in force. The error is of KindUnprocessable and has an issue
// for each fault: parameter-invalid (an element is missing or unknown), parameter-expression, parameter-conflict (the code, or the url,
// belongs to another parameter).
func (s *Parameters) Add(r fhir.Resource) (changed []string, err error) {
	s.write.Lock()
	defer s.write.Unlock()
	set := s.set.Load()
	p, err := s.accept(set, r)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return s.remove(textOf(r.Get("url"))), nil
	}
	if old, ok := set.custom[p.URL]; ok && sameDefinition(old.SearchParameter, p.SearchParameter) {
		return nil, nil
	}
	next := set.clone()
	changed = next.drop(p.URL)
	next.custom[p.URL] = p
	for _, typ := range s.concrete(p.Base) {
		list := slices.Clone(next.byType[typ])
		at, _ := slices.BinarySearchFunc(list, p.Code, func(p *Parameter, code string) int { return strings.Compare(p.Code, code) })
		next.byType[typ] = slices.Insert(list, at, p)
		changed = append(changed, typ)
	}
	next.takeExtractors(set)
	s.set.Store(next)
	slices.Sort(changed)
	return s.onlyConcrete(slices.Compact(changed)), nil
}

// Clone returns Parameters of the same state that go their own way from there.
func (s *Parameters) Clone() *Parameters {
	c := &Parameters{registry: s.registry, terminology: s.terminology, zone: s.zone, onSkipped: s.onSkipped, bases: s.bases, ownBases: s.ownBases}
	c.set.Store(s.set.Load())
	return c
}

// Check returns the error that Add would, and changes nothing.
func (s *Parameters) Check(r fhir.Resource) error {
	_, err := s.accept(s.set.Load(), r)
	return err
}

// accept reads and checks a SearchParameter, and makes it a parameter beside those of set; nil for one that R4 has or that is retired.
func (s *Parameters) accept(set *parameterSet, r fhir.Resource) (p *Parameter, err error) {
	if textOf(r.Get("status")) == "retired" {
		return nil, nil
	}
	def, issues := s.readDefinition(r)
	own, base := s.registry.SearchParameterByURL(def.URL)
	switch {
	case base && own.Code == def.Code && own.Type == def.Type && own.Expression == def.Expression:
		return nil, nil
	case len(issues) > 0:
	case s.restates(def, textOf(r.Get("derivedFrom"))):
		return nil, nil
	case base:
		issues = []fhir.Issue{{Severity: fhir.SeverityError, Code: fhir.IssueInvalid, ID: fhir.IDParameterConflict, Expression: "SearchParameter.url",
			Text: "R4 has a search parameter of this url that finds something else; give this one a url of its own"}}
	default:
		p, issues = s.check(set, def)
	}
	if len(issues) > 0 {
		return nil, &fhir.Error{Kind: fhir.KindUnprocessable, Op: "search parameter", Issues: issues}
	}
	return p, nil
}

// Remove makes the parameter that was added with a url unknown. changed are the types whose stored resources have entries that nothing asks
// for.
func (s *Parameters) Remove(url string) (changed []string) {
	s.write.Lock()
	defer s.write.Unlock()
	return s.remove(url)
}

func (s *Parameters) remove(url string) []string {
	set := s.set.Load()
	if _, ok := set.custom[url]; !ok {
		return nil
	}
	next := set.clone()
	changed := next.drop(url)
	next.takeExtractors(set)
	s.set.Store(next)
	return s.onlyConcrete(changed)
}

func (s *Parameters) onlyConcrete(types []string) []string {
	return slices.DeleteFunc(types, func(t string) bool { _, ok := s.registry.Resource(t); return !ok })
}

// clone returns a copy whose maps may be changed; takeExtractors ends that.
func (s *parameterSet) clone() *parameterSet {
	next := &parameterSet{byType: make(map[string][]*Parameter, len(s.byType)), custom: make(map[string]*Parameter, len(s.custom)+1)}
	for k, v := range s.byType {
		next.byType[k] = v
	}
	for k, v := range s.custom {
		next.custom[k] = v
	}
	return next
}

// takeExtractors takes over those of a set before for the types that have the same parameters.
func (s *parameterSet) takeExtractors(before *parameterSet) {
	before.extractors.Range(func(typ, x any) bool {
		if slices.Equal(s.byType[typ.(string)], before.byType[typ.(string)]) {
			s.extractors.Store(typ, x)
		}
		return true
	})
}

// drop takes a custom parameter out and returns the types that had it.
func (s *parameterSet) drop(url string) (changed []string) {
	p, ok := s.custom[url]
	if !ok {
		return nil
	}
	delete(s.custom, url)
	for typ, list := range s.byType {
		if i := slices.Index(list, p); i >= 0 {
			s.byType[typ] = slices.Delete(slices.Clone(list), i, i+1)
			changed = append(changed, typ)
		}
	}
	slices.Sort(changed)
	return changed
}

// byURL returns a parameter of R4 or a custom one.
func (s *parameterSet) byURL(reg *definition.Registry, url string) *Parameter {
	url, _, _ = strings.Cut(url, "|")
	if p, ok := s.custom[url]; ok {
		return p
	}
	def, ok := reg.SearchParameterByURL(url)
	if !ok {
		return nil
	}
	for _, typ := range def.Base {
		for _, p := range s.byType[typ] {
			if p.SearchParameter == def {
				return p
			}
		}
	}
	return nil
}

// concrete returns the types, abstract ones included, that have a parameter with these bases.
func (s *Parameters) concrete(bases []string) []string {
	var out []string
	for _, typ := range append([]string{"Resource", "DomainResource"}, s.registry.ResourceTypes()...) {
		t, ok := s.registry.Type(typ)
		if ok && slices.ContainsFunc(bases, t.Is) {
			out = append(out, typ)
		}
	}
	return out
}

// readDefinition reads a SearchParameter resource.
func (s *Parameters) readDefinition(r fhir.Resource) (*definition.SearchParameter, []fhir.Issue) {
	var issues []fhir.Issue
	fault := func(element, text string) {
		issues = append(issues, fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueInvalid, ID: fhir.IDParameterInvalid, Text: text,
			Expression: r.Type() + "." + element})
	}
	def := &definition.SearchParameter{
		Code: textOf(r.Get("code")), URL: textOf(r.Get("url")), Type: textOf(r.Get("type")), Expression: textOf(r.Get("expression")),
		MultipleOr: true, MultipleAnd: true,
	}
	def.Base = stringsOf(r.Get("base"))
	def.Target = stringsOf(r.Get("target"))
	for c := r.Get("component").First(); c.Valid(); c = c.Next() {
		def.Components = append(def.Components, definition.Component{
			Definition: textOf(c.Get("definition")), Expression: textOf(c.Get("expression")),
		})
	}
	if def.URL == "" {
		fault("url", "a search parameter has a url")
	}
	if !validCode(def.Code) && !s.taken(def) {
		fault("code", "a search parameter's code begins with a letter and has letters, digits, - and _")
	}
	if _, ok := modifiersOf[def.Type]; !ok || def.Type == "special" {
		fault("type", "the search type is number, date, string, token, reference, composite, quantity or uri")
	}
	if len(def.Base) == 0 {
		fault("base", "a search parameter has at least one base")
	}
	for _, b := range append(slices.Clone(def.Base), def.Target...) {
		if t, ok := s.registry.Type(b); !ok || t.Kind != definition.KindResource {
			fault("base", "there is no resource type "+quote(b))
		}
	}
	if def.Expression == "" {
		fault("expression", "a search parameter has an expression, without which nothing can be found by it")
	}
	if def.Type == "composite" && len(def.Components) < 2 {
		fault("component", "a composite has at least two components")
	}
	return def, issues
}

// taken reports whether R4 has a parameter of the same code and search type on all bases.
func (s *Parameters) taken(def *definition.SearchParameter) bool {
	for _, typ := range def.Base {
		have, ok := s.registry.SearchParameter(typ, def.Code)
		if !ok || have.Type != def.Type {
			return false
		}
	}
	return len(def.Base) > 0
}

// restates reports whether R4 has a parameter on all bases that finds the same: one of the same code, search type, expression and components,
// or one that derivedFrom names ("the details in the search parameter must be consistent with the definition from which it is defined").
// Expressions are compared by what of them concerns the base, as R4 has one expression for many types.
func (s *Parameters) restates(def *definition.SearchParameter, derivedFrom string) bool {
	if !s.taken(def) {
		return false
	}
	for _, typ := range def.Base {
		have, _ := s.registry.SearchParameter(typ, def.Code)
		if url, _, _ := strings.Cut(derivedFrom, "|"); url == have.URL {
			continue
		}
		if !s.sameBranches(typ, have.Expression, def.Expression) || len(have.Components) != len(def.Components) {
			return false
		}
		for i, c := range def.Components {
			url, _, _ := strings.Cut(c.Definition, "|")
			if have.Components[i].Definition != url || have.Components[i].Expression != c.Expression {
				return false
			}
		}
	}
	return true
}

// sameBranches reports whether two expressions yield the same for resources of a type, as far as their text tells.
func (s *Parameters) sameBranches(typ, a, b string) bool {
	if a == b {
		return true
	}
	x, err := s.branches(typ, a)
	if err != nil {
		return false
	}
	y, err := s.branches(typ, b)
	return err == nil && slices.Equal(x, y)
}

func (s *Parameters) branches(typ, expression string) ([]string, error) {
	e, err := fhirpath.Parse(expression)
	if err != nil {
		return nil, err
	}
	return e.SearchBranches(typ, fhirpath.WithRegistry(s.registry))
}

// validCode reports whether a code can stand in a URL without being taken for anything else.
func validCode(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(isLetter(c) || i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '_')) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func stringsOf(n fhir.Node) []string {
	var out []string
	for c := n.First(); c.Valid(); c = c.Next() {
		out = append(out, textOf(c))
	}
	return out
}

// check makes a parameter of a definition, and holds it against the definitions and the parameters that are there.
func (s *Parameters) check(set *parameterSet, def *definition.SearchParameter) (p *Parameter, issues []fhir.Issue) {
	fault := func(id fhir.IssueID, element, text string) {
		issues = append(issues, fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueInvalid, ID: id, Text: text, Expression: "SearchParameter." + element})
	}
	var matched []string // resource types on which the parameter may find something
	p = newParameter(def, s.registry, true)
	if p.components = componentsOf(p, func(url string) *Parameter { return set.byURL(s.registry, url) }); def.Type == "composite" && p.components == nil {
		fault(fhir.IDParameterInvalid, "component", "a component's definition is not known here")
		return p, issues
	}
	for _, typ := range s.concrete(def.Base) {
		for _, have := range set.byType[typ] {
			if have.Code == def.Code && have.URL != def.URL {
				fault(fhir.IDParameterConflict, "code", typ+" has another search parameter "+quote(def.Code)+" already, which finds something else: "+have.URL)
				return p, issues
			}
		}
		if _, ok := s.registry.Resource(typ); !ok {
			continue
		}
		r, ok, err := ruleOf(p, s.registry, typ)
		if ok && r.matches(s.registry) {
			matched = append(matched, typ)
		}
		if err != nil {
			fault(fhir.IDParameterExpression, "expression", "the expression can't be compiled for "+typ+": "+err.Error())
			return p, issues
		}
	}
	for _, base := range def.Base {
		is := func(typ string) bool {
			t, _ := s.registry.Type(typ)
			return t.Is(base)
		}
		if !slices.ContainsFunc(matched, is) {
			fault(fhir.IDParameterNeverMatches, "expression", "on "+base+" the expression yields nothing that a parameter of type "+def.Type+
				" compares, and so would never find one; take the base out, or mend the expression or the type")
		}
	}
	return p, issues
}

func sameDefinition(a, b *definition.SearchParameter) bool {
	return a.Code == b.Code && a.Type == b.Type && a.Expression == b.Expression && slices.Equal(a.Base, b.Base) &&
		slices.Equal(a.Target, b.Target) && slices.Equal(a.Components, b.Components)
}
