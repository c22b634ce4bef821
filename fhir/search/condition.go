package search

import (
	"slices"

	"github.com/fhirgate/fhirgate/fhir"
)

// condition is one way in which one entry can satisfy a value of a search: the entry's parameter is the one asked for with a derived suffix
// ("", ":text", ":ucum"), and all comparisons hold. A value means a list of conditions of which one must hold.
type condition struct {
	suffix string
	where  []Comparison
}

// conditions are alternatives.
type conditions []condition

// one returns the single condition that all comparisons hold.
func one(where ...Comparison) conditions { return conditions{{where: where}} }

// alternatives returns a condition for each list of comparisons.
func alternatives(suffix string, lists [][]Comparison, also ...Comparison) []condition {
	out := make([]condition, 0, len(lists))
	for _, l := range lists {
		out = append(out, condition{suffix, append(slices.Clone(also), l...)})
	}
	return out
}

// expr returns the conditions on the entries of param as an expression.
func expr(param string, conditions []condition) Expr {
	if len(conditions) == 1 {
		return Some{Param: param + conditions[0].suffix, Where: conditions[0].where}
	}
	or := make(Or, 0, len(conditions))
	for _, c := range conditions {
		or = append(or, Some{Param: param + c.suffix, Where: c.where})
	}
	return or
}

// anyOf returns an expression that holds where one of list does.
func anyOf(list []Expr) Expr {
	if len(list) == 1 {
		return list[0]
	}
	return Or(list)
}

// allOf returns an expression that holds where all of list do; nil for none.
func allOf(list []Expr) Expr {
	switch len(list) {
	case 0:
		return nil
	case 1:
		return list[0]
	}
	return And(list)
}

// badValue is the error of a value that its parameter can't be compared with. The text says what was expected and does not repeat the value,
// which may be patient data.
func badValue(id fhir.IssueID, text string) error {
	return fhir.NewError(fhir.KindInvalid, fhir.IssueValue, id, text)
}
