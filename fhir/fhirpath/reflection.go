package fhirpath

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

// reflected is what type() answers and what stands in it: typeInfo and elementInfo.
type reflected interface {
	// child pushes what stands under a name.
	child(m *machine, name string)
	// names lists what child knows.
	names() []string
	// kind is N1's name of what it is.
	kind() string
	String() string
}

// typeInfo is N1's SimpleTypeInfo or ClassInfo.
type typeInfo struct {
	namespace, name string
	// typ is the FHIR type; nil for System types.
	typ *definition.Type
}

// elementInfo is N1's ClassInfoElement.
type elementInfo struct{ name, typ string }

func (i typeInfo) String() string { return i.namespace + "." + i.name }

func (i typeInfo) kind() string {
	if i.typ == nil || i.typ.Kind == definition.KindPrimitive {
		return "SimpleTypeInfo"
	}
	return "ClassInfo"
}

func (i typeInfo) names() []string {
	if i.typ == nil || i.typ.Kind == definition.KindPrimitive {
		return []string{"namespace", "name", "baseType"}
	}
	return []string{"namespace", "name", "baseType", "element"}
}

func (i typeInfo) child(m *machine, name string) {
	switch name {
	case "namespace":
		m.push(StringItem(i.namespace))
	case "name":
		m.push(StringItem(i.name))
	case "baseType":
		base := "System.Any"
		if i.typ != nil && i.typ.Base != nil {
			base = "FHIR." + i.typ.Base.Name
		}
		m.push(StringItem(base))
	case "element":
		if i.typ == nil || i.typ.Kind == definition.KindPrimitive {
			return
		}
		for _, e := range i.typ.Elements {
			info := elementInfo{name: e.Name}
			for k, ref := range e.Types {
				if k > 0 {
					info.typ += " | "
				}
				info.typ += "FHIR." + ref.Type.Name
			}
			if e.Max != 1 {
				info.typ = "List<" + info.typ + ">"
			}
			m.push(Item{box: info})
		}
	}
}

func (i elementInfo) String() string { return i.name + ": " + i.typ }

func (i elementInfo) kind() string { return "ClassInfoElement" }

func (i elementInfo) names() []string { return []string{"name", "type", "isOneBased"} }

func (i elementInfo) child(m *machine, name string) {
	switch name {
	case "name":
		m.push(StringItem(i.name))
	case "type":
		m.push(StringItem(i.typ))
	case "isOneBased":
		m.push(BooleanItem(false))
	}
}

// reflectedChild says what the children of type infos are; found is false for a name that none has.
func reflectedChild(name string) (s static, found bool) {
	switch name {
	case "namespace", "name", "baseType", "type":
		return system(String), true
	case "isOneBased":
		return system(Boolean), true
	case "element":
		s = system(typeInfoKind)
		s.many = true
		return s, true
	}
	return s, false
}

func typeInfos(_ *compiler, in static, _ []static) static {
	s := system(typeInfoKind)
	s.many = in.many
	return s
}

// runType replaces each item by what is known of its type.
func runType(m *machine, x *callExpr, base int) error {
	for i := base; i < len(m.stack); i++ {
		it := &m.stack[i]
		name := it.Type()
		info := typeInfo{"FHIR", name, it.typ}
		if s, ok := strings.CutPrefix(name, "System."); ok && it.box != nil {
			info = typeInfo{namespace: "System", name: s}
		}
		m.stack[i] = Item{box: info}
	}
	return nil
}
