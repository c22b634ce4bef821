package search

import (
	"errors"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// extractor makes the entries of one resource type. It is immutable once it is made.
type extractor struct {
	typ   *definition.Type
	rules []rule
	// text and content say that the words of the narrative, and of other texts, are wanted.
	text, content bool
}

// rule is a parameter with what reads its values.
type rule struct {
	param   *Parameter
	program *fhirpath.Program
	read    reader
	names   derivedNames // the names of its entries
	plain   string
	parts   map[string][]rule // of a composite, by the type of its element; under "" for any
}

// partsFor returns the rules of a composite's components for elements of a type.
func (r *rule) partsFor(typ string) []rule {
	if parts, ok := r.parts[typ]; ok {
		return parts
	}
	return r.parts[""]
}

// reader appends the entries of one item that an expression yields; there is one for each search type.
type reader func(x *extraction, it *fhirpath.Item)

// readers are the rules of extraction by search type. Within each, the rules are keyed by data type. It is a function because a reader of
// composites runs readers.
func readerOf(p *Parameter) reader {
	switch p.Type {
	case "token":
		return (*extraction).token
	case "string":
		if p.Code == phonetic {
			return (*extraction).phonetic
		}
		return (*extraction).text
	case "reference":
		return (*extraction).reference
	case "date":
		return (*extraction).date
	case "number":
		return (*extraction).number
	case "quantity":
		return (*extraction).quantity
	case "uri":
		return (*extraction).uri
	case "composite":
		return (*extraction).composite
	case "special":
		if p.URL == nearURL {
			return (*extraction).position
		}
	}
	return nil
}

// compiled is what newRule returns.
type compiled struct {
	rule rule
	ok   bool
	err  error
}

// ruleOf is newRule, but that a parameter is compiled once for each resource type, whatever others come and go.
func ruleOf(p *Parameter, reg *definition.Registry, typ string) (r rule, ok bool, err error) {
	c, known := p.rules.Load(typ)
	if !known {
		r, ok, err := newRule(p, reg, typ)
		c, _ = p.rules.LoadOrStore(typ, &compiled{r, ok, err})
	}
	once := c.(*compiled)
	return once.rule, once.ok, once.err
}

// newRule compiles a parameter for one resource type; ok is false where it yields nothing for the type, and err says why an expression can't
// be compiled.
func newRule(p *Parameter, reg *definition.Registry, typ string) (r rule, ok bool, err error) {
	r = rule{param: p, read: readerOf(p), names: p.names, plain: p.Code}
	if _, no := p.Unsupported(); no || r.read == nil || p.Expression == "" {
		return r, false, nil
	}
	r.program, err = fhirpath.Compile(p.Expression, fhirpath.WithRegistry(reg), fhirpath.WithType(typ), fhirpath.ForSearch())
	if err != nil || r.program.Empty() {
		return r, false, err
	}
	if p.Code == "url" && p.Type == "uri" && nameable(reg, typ) {
		r.read = (*extraction).canonical
	}
	if p.Type != "composite" {
		return r, true, nil
	}
	types := r.program.ResultTypes()
	if len(types) == 0 {
		types = []string{""}
	}
	r.parts = make(map[string][]rule, len(types))
	for _, element := range types {
		options := []fhirpath.Option{fhirpath.WithRegistry(reg), fhirpath.ForSearch()}
		if element != "" {
			options = append(options, fhirpath.WithType(element))
		}
		parts := make([]rule, 0, len(p.components))
		for i, c := range p.components {
			part := rule{param: c, read: readerOf(c), names: derivedNames{suffixText, suffixIdentifier, suffixOfType, suffixUnit, suffixUCUM, suffixPresent, suffixVersioned, suffixContained}}
			if part.program, err = fhirpath.Compile(p.Components[i].Expression, options...); err != nil {
				return r, false, err
			}
			if part.read == nil || c.Type == "composite" {
				return r, false, nil
			}
			parts = append(parts, part)
		}
		r.parts[element] = parts
	}
	return r, true, nil
}

// extractor returns that of a resource type, made at first use; nil for a type that is none. A parameter whose expression can't be compiled
// is left out: tests hold that R4 has none, and Add accepts none.
func (s *parameterSet) extractor(reg *definition.Registry, typ string) *extractor {
	if x, ok := s.extractors.Load(typ); ok {
		return x.(*extractor)
	}
	t, ok := reg.Resource(typ)
	if !ok {
		return nil
	}
	ex := &extractor{typ: t}
	for _, p := range s.byType[typ] {
		switch p.Code {
		case wordsOfText:
			ex.text = true
		case wordsOfContent:
			ex.content = true
		case SortByID, lastUpdated:
		default:
			if r, ok, err := ruleOf(p, reg, typ); ok && err == nil {
				ex.rules = append(ex.rules, r)
			}
		}
	}
	x, _ := s.extractors.LoadOrStore(typ, ex)
	return x.(*extractor)
}

// extraction is the state of one Extract.
type extraction struct {
	params      *Parameters
	typ         string // of the resource
	rule        *rule
	entries     []Entry
	start       int  // of the current rule's entries
	valued      bool // the current rule had a value, or it is not asked
	words       map[string]struct{}
	folds       [8]struct{ in, out string } // the last strings that were folded
	nextFold    int
	measures    [8]measure // the last quantities that were read
	nextMeasure int
	contained   []heldIn    // what the resource contains, or the container that it stands in
	inside      []Entry     // of references to what the resource holds
	inPlace     []heldIn    // resources that references yield themselves
	collects    bool        // in place of entries, references are wanted with the versions that they name
	references  []Reference // what collects has brought
	tooMany     error       // a parameter of R4 has too many values
	found       []Entry     // of the components of one element
	choices     []int
	piece       []Entry // where parts are cut from
	each        func(fhirpath.Item) bool
	item        fhirpath.Item // what each was last given, so that readers need no copy of it on the heap
}

var extractions = sync.Pool{New: func() any {
	x := &extraction{entries: make([]Entry, 0, 64), words: make(map[string]struct{})}
	x.each = func(it fhirpath.Item) bool {
		x.item = it
		x.rule.read(x, &x.item)
		if !x.valued && len(x.entries) == x.start {
			x.valued = isValue(x.rule.param, &x.item)
		}
		return true
	}
	return x
}}

// Extract returns the entries by which a resource is found, _lastUpdated excepted (see LastUpdated). An element that can't be indexed, as a
// date that is none, yields no entry. The error is of KindInvalid where the resource is of no type of R4, and of KindTooLarge where it has more
// values for a parameter of R4 than can be indexed; the entries of all other parameters come with that one. Entries share memory with the
// resource's tree.
func (s *Parameters) Extract(r fhir.Resource) ([]Entry, error) { return s.extract(r, nil) }

// extract is Extract for a resource that stands in a container beside others, or for one that does not where container is nil.
func (s *Parameters) extract(r fhir.Resource, container []heldIn) ([]Entry, error) {
	ex := s.set.Load().extractor(s.registry, r.Type())
	if ex == nil {
		return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueStructure, fhir.IDUnknownType, "the resource's type is none of R4")
	}
	x := extractions.Get().(*extraction)
	defer x.release()
	x.params, x.typ = s, ex.typ.Name
	focus := fhirpath.ElementItem(r.Node, fhir.Node{}, ex.typ)
	if x.contained = container; container == nil {
		x.contained = containedOf(r)
	}
	for i := range ex.rules {
		x.runAll(&ex.rules[i], focus)
	}
	if ex.text {
		x.narrative(r)
	}
	if ex.content {
		x.content(r, ex.typ)
	}
	if len(x.contained) > 0 || len(x.inPlace) > 0 {
		x.held(container == nil)
	}
	// Room is left for the entries of the version's instant.
	return append(make([]Entry, 0, len(x.entries)+2), x.entries...), x.tooMany
}

// runAll appends the entries of one rule, and where its values have none that there are some. A composite is not asked for that.
func (x *extraction) runAll(r *rule, focus fhirpath.Item) {
	start := len(x.entries)
	x.valued = r.parts != nil
	x.run(r, focus)
	if x.valued && r.parts == nil && len(x.entries) == start {
		x.entries = append(x.entries, Entry{Param: r.names.present})
	}
}

// run appends the entries of one rule. What an expression could not evaluate has no entries, which is reported.
func (x *extraction) run(r *rule, focus fhirpath.Item) {
	x.rule, x.start = r, len(x.entries)
	if err := r.program.Each(focus, nil, x.each); err != nil {
		x.skipped(r.param.Code, err)
	}
}

// skipped reports a parameter that the resource is not found by, or not by all of its values.
func (x *extraction) skipped(param string, err error) {
	var e *fhir.Error
	if x.tooMany == nil && !x.rule.param.Custom && errors.As(err, &e) && len(e.Issues) > 0 && e.Issues[0].Code == fhir.IssueTooCostly {
		x.tooMany = fhir.NewError(fhir.KindTooLarge, fhir.IssueTooCostly, fhir.IDIndexLimit,
			"the resource has more values for the search parameter "+param+" than it can be found by; split it, or leave some out ("+e.Issues[0].Text+")")
	}
	if f := x.params.onSkipped; f != nil {
		f(x.typ, param, err)
	}
}

// release gives the scratch back without what it held.
func (x *extraction) release() {
	if cap(x.entries) > maxScratch || len(x.words) > maxScratch {
		return
	}
	clear(x.entries)
	x.entries = x.entries[:0]
	clear(x.words)
	clear(x.found[:cap(x.found)])
	clear(x.folds[:])
	clear(x.measures[:])
	x.params, x.typ, x.rule, x.item, x.piece = nil, "", nil, fhirpath.Item{}, nil
	x.collects, x.references, x.tooMany = false, nil, nil
	x.contained, x.inside, x.inPlace = nil, nil, nil
	extractions.Put(x)
}

// maxScratch is the number of entries past which scratch is not kept.
const maxScratch = 4096

// put appends an entry unless the rule has made an equal one among its last few.
func (x *extraction) put(e Entry) {
	for i := len(x.entries) - 1; i >= max(x.start, len(x.entries)-16); i-- {
		if equalEntries(&x.entries[i], &e) {
			return
		}
	}
	x.entries = append(x.entries, e)
}

func equalEntries(a, b *Entry) bool {
	if a.Param != b.Param || a.System != b.System || a.Code != b.Code || a.Folded != b.Folded || a.Exact != b.Exact || a.Lo != b.Lo ||
		a.Hi != b.Hi || a.Type != b.Type || a.ID != b.ID || a.URI != b.URI || len(a.Parts) != len(b.Parts) {
		return false
	}
	for i := range a.Parts {
		if !equalEntries(&a.Parts[i], &b.Parts[i]) {
			return false
		}
	}
	return true
}

// word appends a word under a name, once.
func (x *extraction) word(name, w string) {
	if _, ok := x.words[w]; ok || len(w) > maxWord {
		return
	}
	x.words[w] = struct{}{}
	x.entries = append(x.entries, Entry{Param: name, Folded: w})
}

// maxWord is the length past which a run of letters is no word that anybody asks for.
const maxWord = 100

// narrative appends the words of the resource's narrative.
func (x *extraction) narrative(r fhir.Resource) {
	clear(x.words)
	if div := r.Get("text").Get("div"); div.Kind() == fhir.String {
		eachWord(narrativeText(div.Text()), func(w string) { x.word(wordsOfText, w) })
	}
}

// content appends the words of all strings and markdown outside of the narrative.
func (x *extraction) content(r fhir.Resource, t *definition.Type) {
	clear(x.words)
	x.walk(r.Node, t)
}

func (x *extraction) walk(n fhir.Node, t *definition.Type) {
	if rt := n.Get("resourceType"); t.Abstract && rt.Kind() == fhir.String {
		var ok bool
		if t, ok = x.params.registry.Resource(rt.Text()); !ok {
			return
		}
	}
	for c := n.First(); c.Valid(); c = c.Next() {
		_, ref := t.JSONChild(c.Name())
		if ref == nil || c.Name() == "id" || t.Name == "Reference" && c.Name() == "reference" {
			continue
		}
		if c.Kind() != fhir.Array {
			x.visit(c, ref.Type)
			continue
		}
		for i := c.First(); i.Valid(); i = i.Next() {
			x.visit(i, ref.Type)
		}
	}
}

func (x *extraction) visit(n fhir.Node, t *definition.Type) {
	switch {
	case n.Kind() == fhir.Object:
		if t.Name != "Narrative" {
			x.walk(n, t)
		}
	case n.Kind() == fhir.String && (t.Name == "string" || t.Name == "markdown"):
		eachWord(n.Text(), func(w string) { x.word(wordsOfContent, w) })
	}
}
