package mongodb

import (
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// Conditions that ask for one of several values. A term stands for each of them, or a joined term for the values of several parameters.

// maxJoined bounds the terms that one condition on an index is made of: so many places of an index the server merges in its order.
const maxJoined = 100

// equality is a condition that one of several terms of a parameter serves exactly.
type equality struct {
	at    int // the conjunct
	param string
	forms []form
}

// terms returns the terms of which one is asked for, sorted.
func (e equality) terms() []string {
	terms := make([]string, 0, len(e.forms))
	for _, f := range e.forms {
		terms = append(terms, f.term(e.param))
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}

// form is a term without its parameter. own is set for the term of one resource, whatever the parameter.
type form struct {
	kind   string
	values []string
	own    bool
}

func (f form) term(param string) string {
	if f.own {
		param = ownParam
	}
	return term(param, f.kind, f.values...)
}

// equalities finds the conjuncts that terms serve.
func equalities(list []search.Expr) []equality {
	var out []equality
	for i, c := range list {
		switch c := c.(type) {
		case search.Some:
			if kind, values, ok := formOf(c.Where, 0); ok {
				out = append(out, equality{i, c.Param, []form{{kind: kind, values: values}}})
			}
		case search.Or:
			eq := equality{at: i}
			for _, alt := range c {
				s, ok := alt.(search.Some)
				if !ok || len(eq.forms) > 0 && s.Param != eq.param && s.Param != ownParam {
					eq.forms = nil
					break
				}
				kind, values, ok := formOf(s.Where, 0)
				if !ok {
					eq.forms = nil
					break
				}
				if s.Param != ownParam {
					eq.param = s.Param
				}
				eq.forms = append(eq.forms, form{kind, values, s.Param == ownParam})
			}
			if len(eq.forms) > 0 {
				out = append(out, eq)
			}
		}
	}
	return out
}

// joined returns the joined terms of params, one for each combination of their alternatives, and the conjuncts they serve; nil where a
// parameter is not asked for by equality or the combinations are too many.
func joined(params []string, eqs []equality) (terms []string, served []int) {
	var head []byte
	for _, p := range params {
		head = appendPart(head, p)
	}
	terms = []string{string(appendPart(head, kindJoint))}
	for _, p := range params {
		i := slices.IndexFunc(eqs, func(e equality) bool {
			return e.param == p && !slices.ContainsFunc(e.forms, func(f form) bool { return f.own || !pairForm(f.kind) })
		})
		if i < 0 || len(terms)*len(eqs[i].forms) > maxJoined {
			return nil, nil
		}
		var next []string
		for _, t := range terms {
			for _, f := range eqs[i].forms {
				b := appendPart([]byte(t), f.kind)
				for _, v := range f.values {
					b = appendPart(b, v)
				}
				next = append(next, string(b))
			}
		}
		terms = next
		served = append(served, eqs[i].at)
	}
	slices.Sort(terms)
	return slices.Compact(terms), served
}

// in returns the condition that a member is, or an array has, one of values.
func in(path string, values []string) bson.D {
	if len(values) == 1 {
		return bson.D{{Key: path, Value: values[0]}}
	}
	return bson.D{{Key: path, Value: bson.D{{Key: "$in", Value: values}}}}
}
