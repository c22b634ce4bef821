package search

import (
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// values reads the values of one parameter: what commas separate is Or.
func (q *reading) values(p *Parameter, modifierName, value string) (Expr, error) {
	m, of, err := q.readModifier(p, modifierName)
	if err != nil {
		return nil, err
	}
	if m == modifierMissing {
		return missing(p, value)
	}
	list := splitEscaped(value, ',')
	if len(list) > q.limits.Values {
		return nil, tooCostly("a parameter has at most " + strconv.Itoa(q.limits.Values) + " values")
	}
	if p.Code == SortByID {
		return keys(m, list)
	}
	var conditions []condition
	var exprs []Expr
	for _, raw := range list {
		if raw == "" {
			return nil, badValue(fhir.IDEmptyValue, "a value is empty")
		}
		if m == modifierNone || m == modifierNot {
			q.checkBinding(p, raw)
		}
		if e, ok, err := q.whole(p, m, raw); err != nil {
			return nil, err
		} else if ok {
			exprs = append(exprs, e)
			continue
		}
		c, err := q.value(p, m, of, raw)
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, c...)
		if len(conditions) > 4*q.limits.Values {
			return nil, tooCostly("a parameter has at most " + strconv.Itoa(q.limits.Values) + " values")
		}
	}
	if err := q.count(len(conditions)); err != nil {
		return nil, err
	}
	if p.Type == "reference" && m == modifierNone {
		if err := q.checkIDs(p, list); err != nil {
			return nil, err
		}
	}
	if len(conditions) > 0 {
		exprs = append(exprs, expr(p.Code, conditions))
	}
	e := anyOf(exprs)
	if len(conditions) == 0 && len(exprs) == 0 {
		e = Or{} // a value set without members
	}
	if m == modifierNot || m == modifierNotIn {
		return Not{Expr: e}, nil
	}
	return e, nil
}

// keys reads the values of _id.
func keys(m modifier, list []string) (Expr, error) {
	ids := make([]string, len(list))
	for i, raw := range list {
		if ids[i] = unescape(raw); !fhir.ValidID(ids[i]) {
			return nil, badValue(fhir.IDInvalidID, "an id has 1 to 64 letters, digits, dashes and points")
		}
	}
	if m == modifierNot {
		return Not{Expr: KeyIn{IDs: ids}}, nil
	}
	return KeyIn{IDs: ids}, nil
}

// whole reads a value that one entry alone does not decide; ok is false for the others.
func (q *reading) whole(p *Parameter, m modifier, raw string) (e Expr, ok bool, err error) {
	switch {
	case p.Code == "_text" || p.Code == "_content":
		e, err = textExpr(p.Code, unescape(raw))
	case p.Code == phonetic && p.Type == "string":
		e, err = phoneticExpr(p, unescape(raw))
	case p.Type == "reference" && (m == modifierAbove || m == modifierBelow):
		value := unescape(raw)
		if p.has("canonical") && strings.Contains(value, ":") {
			return nil, false, nil
		}
		e, err = q.hierarchyCondition(p, m, value)
	default:
		return nil, false, nil
	}
	return e, err == nil, err
}

// value reads one value, which keeps its escapes.
func (q *reading) value(p *Parameter, m modifier, of, raw string) ([]condition, error) {
	switch p.Type {
	case "token":
		switch m {
		case modifierText:
			c, err := stringCondition(modifierNone, unescape(raw))
			return withSuffix(c, suffixText), err
		case modifierIn, modifierNotIn:
			return q.valueSetConditions(p, unescape(raw))
		case modifierAbove, modifierBelow:
			return q.subsumption(p, m, raw)
		case modifierOfType:
			return ofTypeCondition(raw)
		}
		return q.tokenCondition(p, raw)
	case "string":
		return stringCondition(m, unescape(raw))
	case "uri":
		return q.uriCondition(p, m, unescape(raw))
	case "reference":
		switch m {
		case modifierIdentifier:
			c, err := q.tokenCondition(p, raw)
			return withSuffix(c, suffixIdentifier), err
		case modifierAbove, modifierBelow:
			return canonicalVersion(m, unescape(raw))
		}
		return q.referenceCondition(p, of, unescape(raw))
	case "date":
		return q.dateCondition(unescape(raw))
	case "number":
		return numberCondition(unescape(raw))
	case "quantity":
		return quantityCondition(raw)
	case "composite":
		return q.compositeCondition(p, raw)
	case "special":
		if p.URL == nearURL {
			return nearCondition(raw)
		}
	}
	return nil, fhir.NewError(fhir.KindInvalid, fhir.IssueNotSupported, fhir.IDUnsupportedParameter, "not supported: its search type is not known here")
}

func withSuffix(list []condition, suffix string) []condition {
	for i := range list {
		list[i].suffix = suffix
	}
	return list
}
