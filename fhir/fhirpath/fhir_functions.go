package fhirpath

import (
	"iter"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// Functions that FHIR adds (R4 fhirpath.html, Additional functions).

var _ = define(map[string]*function{
	"extension":         {min: 1, max: 1, params: oneText, result: extensions, run: runExtension},
	"hasValue":          {result: answers(Boolean), run: runHasValue},
	"getValue":          {result: sameKind, run: runGetValue},
	"resolve":           {outside: true, result: resolved, run: runResolve},
	"elementDefinition": {result: elementDefinitions, run: runElementDefinition},
	"slice":             {outside: true, min: 2, max: 2, params: twoText, result: same, run: runSlice},
	"checkModifiers":    {max: 64, result: same, run: runCheckModifiers},
	"conformsTo":        {min: 1, max: 1, params: oneText, result: answers(Boolean), run: runConformsTo},
	"memberOf":          {outside: true, min: 1, max: 1, params: oneText, result: answers(Boolean), run: runMemberOf},
	"subsumes":          {outside: true, min: 1, max: 1, result: answers(Boolean), run: subsumption(false)},
	"subsumedBy":        {outside: true, min: 1, max: 1, result: answers(Boolean), run: subsumption(true)},
	"htmlChecks":        {result: answers(Boolean), run: runHTMLChecks},
})

func extensions(c *compiler, in static, _ []static) static {
	t, ok := c.reg.Type("Extension")
	if !ok {
		return anything
	}
	s := typed(t)
	s.many = true
	return s
}

// runExtension is extension.where(url = argument).
func runExtension(m *machine, x *callExpr, base int) error {
	url, ok, err := m.textArgument(x, 0)
	if err != nil || !ok {
		m.cut(base)
		return err
	}
	mid := len(m.stack)
	t, _ := m.prog.reg.Type("Extension")
	for i := base; i < mid; i++ {
		it := m.stack[i]
		n := it.node
		if it.typ != nil && it.typ.Kind == definition.KindPrimitive {
			n = it.sib
		}
		for e := range n.Get("extension").Children() {
			if e.Get("url").Text() == url {
				m.push(Item{typ: t, node: e})
			}
		}
	}
	m.keep(base, mid)
	return nil
}

func runHasValue(m *machine, x *callExpr, base int) error {
	return m.answerBool(base, len(m.stack)-base == 1 && m.stack[base].HasValue())
}

func runGetValue(m *machine, x *callExpr, base int) error {
	if len(m.stack)-base != 1 || !m.stack[base].HasValue() {
		m.cut(base)
		return nil
	}
	v := m.stack[base].value()
	m.cut(base)
	if v.kind != NoKind {
		m.push(v.item())
	}
	return nil
}

// runSlice keeps the items that belong to a slice of a structure, which the validator's profiles know.
func runSlice(m *machine, x *callExpr, base int) error {
	structure, ok, err := m.textArgument(x, 0)
	if err != nil {
		return err
	}
	name, okName, err := m.textArgument(x, 1)
	if err != nil {
		return err
	}
	if !ok || !okName {
		m.cut(base)
		return nil
	}
	slicer, ok := m.env.Conformance.(Slicer)
	if !ok {
		return m.fail(x.pos, fhir.IDFHIRPathUnsupported, "slice() needs the profiles of a validator", "an environment with profiles")
	}
	out := base
	for i := base; i < len(m.stack); i++ {
		in, known, err := slicer.InSlice(m.context(), m.stack[i], structure, name)
		if err != nil {
			return m.failed(err)
		}
		if !known {
			return m.fail(x.pos, fhir.IDFHIRPathTerminology, "the slice is not known", "a slice of a known StructureDefinition")
		}
		if in {
			m.stack[out] = m.stack[i]
			out++
		}
	}
	m.cut(out)
	return nil
}

// runCheckModifiers passes the input on where it has no modifier extensions but those named, and is an error otherwise.
func runCheckModifiers(m *machine, x *callExpr, base int) error {
	var known []string
	for i := range x.args {
		url, ok, err := m.textArgument(x, i)
		if err != nil {
			return err
		}
		if ok {
			known = append(known, url)
		}
	}
	for i := base; i < len(m.stack); i++ {
		for e := range m.stack[i].node.Get("modifierExtension").Children() {
			ok := false
			for _, url := range known {
				ok = ok || url == e.Get("url").Text()
			}
			if !ok {
				return m.fail(x.pos, fhir.IDFHIRPathType, "an element has a modifier extension that is not understood", "the modifier extensions that checkModifiers() names")
			}
		}
	}
	return nil
}

// base definitions, which conformsTo() decides from the type alone.
const structureDefinition = "http://hl7.org/fhir/StructureDefinition/"

func runConformsTo(m *machine, x *callExpr, base int) error {
	profile, ok, err := m.textArgument(x, 0)
	if err != nil {
		return err
	}
	it, some, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok || !some {
		return err
	}
	if name, ok := strings.CutPrefix(profile, structureDefinition); ok {
		if t, ok := m.prog.reg.Type(name); ok && t.Kind != definition.KindBackbone {
			m.push(BooleanItem(it.typ.Is(name)))
			return nil
		}
	}
	if m.env.Conformance == nil {
		return m.fail(x.pos, fhir.IDFHIRPathUnsupported, "conformsTo() of a profile that is not a base definition needs a validator", "a base definition, or an environment with profiles")
	}
	conforms, known, err := m.env.Conformance.ConformsTo(m.context(), it, profile)
	if err != nil {
		return m.failed(err)
	}
	if !known {
		return m.fail(x.pos, fhir.IDFHIRPathTerminology, "the profile of conformsTo() is not known", "the canonical of a known StructureDefinition")
	}
	m.push(BooleanItem(conforms))
	return nil
}

// failed wraps an error of an interface.
func (m *machine) failed(err error) error {
	return &fhir.Error{Kind: fhir.KindOf(err), Op: "fhirpath", Err: err, Issues: []fhir.Issue{{Severity: fhir.SeverityError,
		Code: fhir.IssueProcessing, ID: fhir.IDFHIRPathTerminology, Text: "FHIRPath: a terminology or a resource could not be reached"}}}
}

// codes yields the codings of a code, Coding or CodeableConcept, and a string as a code without a system.
func codes(it Item) iter.Seq[Code] {
	coding := func(n fhir.Node) Code { return Code{n.Get("system").Text(), n.Get("code").Text()} }
	return func(yield func(Code) bool) {
		if s := it.Text(); s != "" {
			yield(Code{Code: s})
			return
		}
		list := it.node.Get("coding")
		if !list.Valid() {
			if it.node.Get("code").Valid() {
				yield(coding(it.node))
			}
			return
		}
		for n := range list.Children() {
			if !yield(coding(n)) {
				return
			}
		}
	}
}

func runMemberOf(m *machine, x *callExpr, base int) error {
	valueSet, ok, err := m.textArgument(x, 0)
	if err != nil {
		return err
	}
	it, some, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok || !some {
		return err
	}
	if m.env.Terminology == nil {
		return m.fail(x.pos, fhir.IDFHIRPathUnsupported, "memberOf() needs a terminology", "an environment with one")
	}
	member, known, err := m.env.Terminology.MemberOf(m.context(), codes(it), valueSet)
	if err != nil {
		return m.failed(err)
	}
	if known {
		m.push(BooleanItem(member))
	}
	return nil
}

// subsumption returns subsumes(), or with swap subsumedBy(): any coding of the one against any of the other.
func subsumption(swap bool) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		mid := len(m.stack)
		if err := x.args[0].eval(m); err != nil {
			return err
		}
		other, okOther, err := m.single(mid, x.pos)
		if err != nil {
			return err
		}
		m.cut(mid)
		it, ok, err := m.single(base, x.pos)
		m.cut(base)
		if err != nil || !ok || !okOther {
			return err
		}
		if m.env.Terminology == nil {
			return m.fail(x.pos, fhir.IDFHIRPathUnsupported, "subsumption needs a terminology", "an environment with one")
		}
		if swap {
			it, other = other, it
		}
		anyKnown := false
		for a := range codes(it) {
			for b := range codes(other) {
				subsumes, known, err := m.env.Terminology.Subsumes(m.context(), a, b)
				if err != nil {
					return m.failed(err)
				}
				if known && subsumes {
					m.push(BooleanItem(true))
					return nil
				}
				anyKnown = anyKnown || known
			}
		}
		if anyKnown {
			m.push(BooleanItem(false))
		}
		return nil
	}
}

func elementDefinitions(c *compiler, in static, _ []static) static {
	t, ok := c.reg.Type("ElementDefinition")
	if !ok {
		return anything
	}
	s := typed(t)
	s.many = in.many
	return s
}

// runElementDefinition yields the ElementDefinition of each element from the snapshot of the StructureDefinition that it belongs to.
func runElementDefinition(m *machine, x *callExpr, base int) error {
	mid := len(m.stack)
	t, _ := m.prog.reg.Type("ElementDefinition")
	for i := base; i < mid; i++ {
		path, ok := m.definitionPath(m.stack[i])
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(path, ".")
		def, ok := m.prog.reg.Definition(structureDefinition + name)
		if !ok {
			continue
		}
		for e := range def.Get("snapshot").Get("element").Children() {
			if err := m.step(1, x.pos); err != nil {
				return err
			}
			if e.Get("path").Text() == path {
				m.push(Item{typ: t, node: e})
				break
			}
		}
	}
	m.keep(base, mid)
	return nil
}

// definitionPath returns the path of an element in the StructureDefinition that defines it: that of its parent's type and its name there.
func (m *machine) definitionPath(it Item) (string, bool) {
	n := it.node
	if !n.Valid() {
		n = it.sib
	}
	if !n.Valid() {
		return "", false
	}
	if n.Get("resourceType").Valid() && it.typ != nil {
		return it.typ.Name, true
	}
	parent, name := m.typeOfParent(n)
	if parent == nil {
		return "", false
	}
	e, _ := parent.JSONChild(strings.TrimPrefix(name, "_"))
	if e == nil {
		return "", false
	}
	return e.Path, true
}

// typeOfParent finds the type of the object that n stands in, by walking down from the nearest resource, and the name it stands under.
func (m *machine) typeOfParent(n fhir.Node) (*definition.Type, string) {
	if n.Name() == "" && n.Parent().Kind() == fhir.Array {
		n = n.Parent()
	}
	p := n.Parent()
	if !p.Valid() {
		return nil, ""
	}
	if p.Get("resourceType").Valid() {
		return resourceItem(m.prog.reg, p).typ, n.Name()
	}
	outer, name := m.typeOfParent(p)
	if outer == nil {
		return nil, ""
	}
	_, ref := outer.JSONChild(strings.TrimPrefix(name, "_"))
	if ref == nil {
		return nil, ""
	}
	return ref.Type, n.Name()
}
