package search

import (
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// unknown is the error of a name that means nothing here. The text ends with the nearest of the names that do.
func unknown(id fhir.IssueID, text, name string, names []string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, id, text+fhir.DidYouMean(name, slices.Values(names)))
}

// quote returns a name of a request for a message: in quotes, cut short, and without what is not printable ASCII.
func quote(name string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(name) && i < 64; i++ {
		if c := name[i]; c >= ' ' && c < 0x7f && c != '"' {
			b.WriteByte(c)
		} else {
			b.WriteByte('?')
		}
	}
	if len(name) > 64 {
		b.WriteString("...")
	}
	b.WriteByte('"')
	return b.String()
}

// tooCostly is the error of a search past a limit.
func tooCostly(text string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDSearchTooCostly, text)
}

// badPrefix is the error of letters that are no prefix.
func badPrefix() error {
	return unknown(fhir.IDBadPrefix, "a prefix is one of "+strings.Join(prefixNames[:], " "), "", nil)
}

// operators are what stands for a prefix in other languages, longest first.
var operators = []struct{ sign, prefix string }{{">=", "ge"}, {"<=", "le"}, {"!=", "ne"}, {"<>", "ne"}, {">", "gt"}, {"<", "lt"}, {"~", "ap"}, {"=", "eq"}, {"!", "ne"}}

// badComparison is the error of a value that can't be compared: of its sign where it begins with one that a prefix stands for, otherwise id
// and text.
func badComparison(value string, id fhir.IssueID, text string) error {
	for _, o := range operators {
		if strings.HasPrefix(value, o.sign) {
			return badValue(fhir.IDBadPrefix, "comparisons are prefixes of the value: write "+o.prefix+" in place of "+o.sign)
		}
	}
	return badValue(id, text)
}

// comparesInName is the error of a name with an operator in it, as "birthdate>" of "birthdate>=1990"; nil for any other.
func comparesInName(name string) error {
	i := strings.IndexAny(name, "<>!~")
	if i < 0 {
		return nil
	}
	return badValue(fhir.IDUnknownParameter, "comparisons are prefixes of the value: write "+quote(name[:i]+"=gt...")+" or ge, lt, le, ne, ap")
}

// typeInName is the error of a name with the resource type in front, as "Observation.patient"; nil for any other.
func (q *reading) typeInName(types []string, head, rest string) error {
	if len(types) != 1 || head != types[0] || rest == "" {
		return nil
	}
	name, _, _ := strings.Cut(rest, ".")
	name, _, _ = strings.Cut(name, ":")
	var names []string
	if p, ok := q.params.Lookup(head, name); ok {
		names = append(names, p.Code)
		for _, wider := range q.params.Served(head) { // that reads the same element
			if wider != p && wider.Type == p.Type && strings.Contains(p.Expression, head+"."+wider.Code) {
				names = append(names, wider.Code)
			}
		}
	}
	text := "a search parameter has no resource type in front"
	if len(names) > 0 {
		return badValue(fhir.IDUnknownParameter, text+": write "+strings.Join(names, " or "))
	}
	return unknown(fhir.IDUnknownParameter, text, name, codesOf(q.params.Served(head)))
}

// codesOf returns the codes of parameters.
func codesOf(list []*Parameter) []string {
	out := make([]string, len(list))
	for i, p := range list {
		out[i] = p.Code
	}
	return out
}
