package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// modifier is what stands behind the colon of a parameter's name (https://hl7.org/fhir/R4/search.html#modifiers).
type modifier uint8

const (
	modifierNone modifier = iota
	modifierMissing
	modifierExact
	modifierContains
	modifierText
	modifierNot
	modifierAbove
	modifierBelow
	modifierIn
	modifierNotIn
	modifierOfType
	modifierIdentifier
	modifierType // the name of a resource type
)

// modifierNames are the modifiers as they are written; that of modifierType is what it stands for.
var modifierNames = [...]string{
	"", "missing", "exact", "contains", "text", "not", "above", "below", "in", "not-in", "of-type", "identifier", "[type]",
}

// modifiersOf are the modifiers of each search type.
var modifiersOf = map[string][]modifier{
	"string":    {modifierMissing, modifierExact, modifierContains},
	"token":     {modifierMissing, modifierText, modifierNot, modifierAbove, modifierBelow, modifierIn, modifierNotIn, modifierOfType},
	"reference": {modifierMissing, modifierIdentifier, modifierType, modifierAbove, modifierBelow},
	"uri":       {modifierMissing, modifierAbove, modifierBelow},
	"date":      {modifierMissing},
	"number":    {modifierMissing},
	"quantity":  {modifierMissing},
	"composite": nil, // "modifiers are not used on composite parameters"
	"special":   {modifierMissing},
}

// Modifiers returns the modifiers that searches may put behind the parameter, as they are written; "[type]" stands for a resource type.
func (p *Parameter) Modifiers() []string {
	var out []string
	for _, m := range p.modifiers() {
		out = append(out, modifierNames[m])
	}
	return out
}

func (p *Parameter) modifiers() []modifier {
	switch p.Code {
	case "_id":
		return []modifier{modifierMissing, modifierNot}
	case "_text", "_content":
		return nil
	}
	list := modifiersOf[p.Type]
	if p.Type == "token" && !p.has("Identifier") {
		list = slices.DeleteFunc(slices.Clone(list), func(m modifier) bool { return m == modifierOfType })
	}
	if p.Type == "reference" && p.CanonicalOnly() {
		list = slices.DeleteFunc(slices.Clone(list), func(m modifier) bool { return m == modifierIdentifier })
	}
	if p.Code == phonetic {
		list = []modifier{modifierMissing}
	}
	return list
}

// readModifier reads what stands behind a parameter's colon. of is the resource type where it is one.
func (q *reading) readModifier(p *Parameter, name string) (m modifier, of string, err error) {
	if name == "" {
		return modifierNone, "", nil
	}
	allowed := p.modifiers()
	if i := slices.Index(modifierNames[1:], name); i >= 0 && slices.Contains(allowed, modifier(i+1)) && modifier(i+1) != modifierType {
		return modifier(i + 1), "", nil
	}
	if _, isType := q.params.registry.Resource(name); isType && slices.Contains(allowed, modifierType) {
		if !p.PointsTo(name) {
			return 0, "", unknown(fhir.IDUnknownModifier, "the parameter "+quote(p.Code)+" does not point to "+name, name, p.Targets())
		}
		return modifierType, name, nil
	}
	names := p.Modifiers()
	if len(names) == 0 {
		return 0, "", unknown(fhir.IDUnknownModifier, "the parameter "+quote(p.Code)+" has no modifiers", name, nil)
	}
	return 0, "", unknown(fhir.IDUnknownModifier,
		"the "+p.Type+" parameter "+quote(p.Code)+" has no modifier "+quote(name)+", it has :"+strings.Join(names, " :"), name,
		append(names, p.Targets()...))
}
