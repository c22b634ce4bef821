package mongodb

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// candidate is one way to the rows of a query: what it reads, and what that decides. It is a value: candidates are collected, compared and made
// plans, and none is changed.
type candidate struct {
	// reads are the indexes that are read; what several find is united by their ids.
	reads []access
	// values are the terms that are read, where there are no other reads.
	values []string
	// ids are what is found, where the query names it.
	ids []string
	// served are the conjuncts that hold for all that is found.
	served []int
	// about is a conjunct by which the index finds, though it is tried as well; noConjunct for none.
	about int
	// kind tells candidates of different costs.
	kind kind
	// ordered is set where the rows come in the order that is asked for, so that a page is full before all are read.
	ordered bool
	// deleted is set where deleted resources may be found.
	deleted bool
	// keys is set where all keys of the index are read to find any.
	keys bool
}

const noConjunct = -1

// kind is what a candidate reads.
type kind int

const (
	named    kind = iota // resources that the query names
	terms                // a term of equalities
	compound             // an order behind a joined term
	ordering             // the order of a parameter
	absence              // who has no place in the order of another parameter, by id
	lookup               // what indexes find for one conjunct
	all                  // all resources, by id
)

// everything is the candidate that reads all resources.
func (pl *planner) everything() candidate {
	return candidate{kind: all, reads: []access{{indexTerms, bson.D{{Key: pathTerms, Value: termLive}}}}, about: noConjunct, ordered: pl.by == ""}
}

// byName returns the candidate of a condition that names resources, where they are so few that nothing is better.
func (pl *planner) byName() (candidate, bool) {
	for i, c := range pl.list {
		if k, ok := c.(search.KeyIn); ok && (len(k.IDs) <= loadChunk || pl.by == "" && len(k.IDs) <= maxReferred) {
			return candidate{kind: named, ids: k.IDs, served: []int{i}, about: noConjunct, ordered: pl.by == "", deleted: true}, true
		}
	}
	return candidate{}, false
}

// byTerms returns the candidates that read terms: joined ones first, then those of composites and of single parameters.
func (pl *planner) byTerms() []candidate {
	var out []candidate
	add := func(values []string, served []int, about int) {
		out = append(out, candidate{kind: terms, reads: []access{{indexTerms, in(pathTerms, values)}}, values: values, served: served, about: about,
			ordered: pl.by == "" && len(values) <= maxJoined})
	}
	joint := map[int]bool{}
	for _, params := range joints(pl.typ) {
		if values, served := joined(params, pl.equal); values != nil {
			add(values, served, noConjunct)
			for _, i := range served {
				joint[i] = true
			}
		}
	}
	for i, c := range pl.list {
		if s, ok := c.(search.Some); ok {
			if values := compositeTerms(s); values != nil {
				add(values, nil, i)
			}
		}
	}
	for _, e := range pl.equal {
		if !joint[e.at] {
			add(e.terms(), []int{e.at}, noConjunct)
		}
	}
	return out
}

// byOrder returns the candidates that are walked in the order asked for, whatever they find: of compounds the one that serves most.
func (pl *planner) byOrder() []candidate {
	if pl.by == "" {
		return append(pl.byAbsence(), pl.everything())
	}
	var out []candidate
	best := candidate{kind: compound, about: noConjunct, ordered: true}
	for _, c := range search.Compounds(pl.typ) {
		params, last := lead(c)
		if pl.by != last && !(pl.by == last+ucum && slices.Contains(pairOrders(last), pl.by)) {
			continue
		}
		if values, served := joined(params, pl.equal); values != nil && len(served) > len(best.served) {
			best.served = served
			best.reads = []access{{indexPairs(last, pl.by), in(pathPairs+keyName(last), values)}}
		}
	}
	if best.reads != nil {
		out = append(out, best)
	}
	if pl.orders[indexOrder(pl.by)] {
		out = append(out, candidate{kind: ordering, reads: []access{{index: indexOrder(pl.by)}}, about: noConjunct, ordered: true})
	}
	return out
}

// byAbsence returns the candidate that reads who has no place in the order of a parameter: they stand there by id.
func (pl *planner) byAbsence() []candidate {
	for i, c := range pl.list {
		if not, ok := c.(search.Not); ok {
			if s, ok := not.Expr.(search.Some); ok && len(s.Where) == 0 && pl.orders[indexOrder(s.Param)] {
				return []candidate{{kind: absence, reads: []access{{indexOrder(s.Param), placeless(s.Param)}}, served: []int{i}, about: noConjunct, ordered: true, deleted: true}}
			}
		}
	}
	return nil
}

// rivals returns the candidates that find by a conjunct of which another knows nothing, and the parameters whose orders would be some and are not
// there.
func (pl *planner) rivals(of candidate) (out []candidate, wants []string) {
	knows := func(i int) bool { return slices.Contains(of.served, i) || of.ordered && pl.bounds(i) }
	for _, c := range pl.terms {
		if slices.ContainsFunc(c.served, func(i int) bool { return !knows(i) }) { // what a term of a composite finds its range finds as well
			out = append(out, c)
		}
	}
	for i, c := range pl.list {
		if knows(i) || slices.ContainsFunc(pl.equal, func(e equality) bool { return e.at == i }) {
			continue
		}
		found, want := pl.lookups(i, c)
		out = append(out, found...)
		if want != "" {
			wants = append(wants, want)
		}
	}
	return out, wants
}

// lookups returns the candidates that find by one conjunct which no term serves, and the parameter whose order would and is not there.
func (pl *planner) lookups(i int, c search.Expr) (out []candidate, want string) {
	if k, ok := c.(search.KeyIn); ok {
		return []candidate{{kind: lookup, ids: k.IDs, served: []int{i}, about: i, deleted: true}}, ""
	}
	if reads := pl.r.readsOf(pl.typ, c); reads != nil {
		found := candidate{kind: lookup, reads: reads, about: i, deleted: len(reads) > 1}
		if len(reads) == 1 && exact(c) {
			found.served = []int{i}
		}
		out = append(out, found)
		if param, f := placeOf(c); len(reads) > 1 && f != nil && pl.orders[indexOrder(param)] {
			out = append(out, candidate{kind: lookup, reads: []access{{indexOrder(param), f}}, about: i, deleted: true})
		}
		return out, ""
	}
	switch param, f, keys := foundInOrder(c); {
	case f == nil:
		return nil, ""
	case !pl.orders[indexOrder(param)]:
		return nil, param
	default:
		return []candidate{{kind: lookup, reads: []access{{indexOrder(param), f}}, about: i, deleted: true, keys: keys}}, ""
	}
}

// foundInOrder returns the filter of what is found by the order of a parameter: who has no place in it, and in whose only value a text stands; nil for
// other conditions. keys is set where all its keys are read to find any.
func foundInOrder(c search.Expr) (param string, f bson.D, keys bool) {
	switch c := c.(type) {
	case search.Not:
		// Hardly any resource has a place under the further names of a parameter.
		if s, ok := c.Expr.(search.Some); ok && len(s.Where) == 0 && s.Param != search.SortByID && !strings.Contains(s.Param, ":") {
			return s.Param, placeless(s.Param), false
		}
	case search.Some:
		if len(c.Where) != 1 || c.Where[0].Op != search.Suffix {
			return foundInOrder(search.Or{c})
		}
		if c.Where[0].Part != 0 || c.Where[0].Field != search.Folded || len(c.Where[0].Value) > maxPattern {
			break
		}
		key := pathSort + keyName(c.Param) + "."
		text, possible := compare(key+memberLeast, c.Where[0], false)
		if !possible || len(text) == 0 {
			break
		}
		return c.Param, anyOf([]bson.D{
			{{Key: key + memberWidth, Value: widthNone}, text[0]},
			{{Key: key + memberWidth, Value: bson.D{{Key: "$gte", Value: widthSeveral}, {Key: "$lte", Value: widthPoint}}}},
		}), true
	case search.Or:
		found, rest := textsOf(c)
		if len(found) != 1 || len(rest) > 0 || found[0].field != search.Folded {
			break
		}
		key := pathSort + keyName(found[0].param) + "."
		branches := []bson.D{{{Key: key + memberWidth, Value: bson.D{{Key: "$gte", Value: widthSeveral}, {Key: "$lte", Value: widthPoint}}}}}
		for _, pattern := range patterns(found[0].values) {
			branches = append(branches, bson.D{{Key: key + memberWidth, Value: widthNone}, {Key: key + memberLeast, Value: bson.Regex{Pattern: pattern}}})
		}
		return found[0].param, anyOf(branches), true
	}
	return "", nil, false
}

// placeOf returns where in the order of a parameter a resource can lie that satisfies a condition on its bounds; nil for other conditions. Of a
// resource with several values nothing is known.
func placeOf(c search.Expr) (param string, f bson.D) {
	s, ok := c.(search.Some)
	if or, any := c.(search.Or); any && len(or) > 0 {
		s, ok = or[0].(search.Some)
	}
	if !ok {
		return "", nil
	}
	places := placesOf([]search.Expr{c}, s.Param)
	if places == nil {
		return "", nil
	}
	key := pathSort + keyName(s.Param) + "."
	branches := []bson.D{{{Key: key + memberWidth, Value: widthSeveral}}}
	for w := widthFar; w <= widthNone; w++ {
		for _, in := range places[w] {
			branches = append(branches, bson.D{{Key: key + memberWidth, Value: w}, {Key: key + memberLeast, Value: in.condition()}})
		}
	}
	return s.Param, anyOf(branches)
}

// exact reports whether what readsOf returns for a condition finds nothing else.
func exact(c search.Expr) bool {
	switch c := c.(type) {
	case search.Or:
		return !slices.ContainsFunc(c, func(c search.Expr) bool { return !exact(c) })
	case search.Some:
		return !slices.ContainsFunc(c.Where, func(c search.Comparison) bool { return c.Part != 0 })
	}
	return false
}

// placeless is the condition that a resource has no place in the order of a parameter.
func placeless(param string) bson.D {
	key := pathSort + keyName(param) + "."
	return bson.D{{Key: key + memberWidth, Value: nil}, {Key: key + memberLeast, Value: nil}}
}
