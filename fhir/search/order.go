package search

// NaturalOrder returns the order in which a search without _sort is answered: nil, which is by id, or by the parameter that a range
// condition is on, ascending, where that is how an index holds the matches anyway. R4 leaves the order to the server
// (https://hl7.org/fhir/R4/search.html#sort). With it "code and date" is one stretch of an index whose first page costs the same however
// many resources match; by id it would have to be collected and sorted, or tried resource by resource. It depends on the condition alone,
// so every page of a search has the same order on every engine.
//
// A range decides where the other parameters of one of the type's Compounds are asked for by equality, or where it is the only condition.
func NaturalOrder(types []string, where Expr) []Sort {
	if len(types) != 1 {
		return nil
	}
	conditions := Conjuncts(where)
	ranges, equal := map[string]bool{}, map[string]bool{}
	alone := true // nothing is asked but the range
	for _, e := range conditions {
		if param, ok := onOne(e, comparesBounds); ok {
			ranges[param] = true
		} else if param, ok := onOne(e, comparesByEquality); ok {
			equal[param], alone = true, false
		} else {
			alone = false
		}
	}
	if alone && len(ranges) == 1 {
		for param := range ranges {
			return []Sort{{Param: param}}
		}
	}
	best := Compound{}
	for _, c := range Compounds(types[0]) {
		last := len(c.Params) - 1
		if !ranges[c.Params[last]] || len(c.Params) <= len(best.Params) {
			continue
		}
		all := true
		for _, p := range c.Params[:last] {
			all = all && equal[p]
		}
		if all {
			best = c
		}
	}
	if len(best.Params) == 0 {
		return nil
	}
	return []Sort{{Param: best.Params[len(best.Params)-1]}}
}

// comparesBounds reports whether a comparison is one of the bounds of an entry, and not of a component.
func comparesBounds(c Comparison) bool { return c.Part == 0 && (c.Field == Lo || c.Field == Hi) }

// comparesByEquality reports whether a comparison asks for one value of an entry.
func comparesByEquality(c Comparison) bool { return c.Part == 0 && c.Op == Eq }

// onOne returns the parameter of a condition on one parameter alone, one Some or an Or of them, all of whose comparisons are as is says.
func onOne(e Expr, is func(Comparison) bool) (param string, ok bool) {
	switch e := e.(type) {
	case Some:
		for _, c := range e.Where {
			if !is(c) {
				return "", false
			}
		}
		return e.Param, len(e.Where) > 0
	case Or:
		for i, x := range e {
			p, ok := onOne(x, is)
			if !ok || i > 0 && p != param {
				return "", false
			}
			param = p
		}
		return param, len(e) > 0
	}
	return "", false
}
