package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// world makes random keys, entries and queries. Its values are few, so that everything meets everything.
type world struct {
	*rand.Rand
	types []string
}

// newWorld returns the world of a seed.
func newWorld(seed uint64) *world {
	return &world{Rand: rand.New(rand.NewPCG(seed, 0x5eed)), types: types()}
}

// types returns three resource types, among them the two with most compounds, sorted.
func types() []string {
	all := slices.Clone(definition.R4().ResourceTypes())
	slices.SortStableFunc(all, func(a, b string) int {
		return len(search.Compounds(b))*8 + longest(b) - len(search.Compounds(a))*8 - longest(a)
	})
	out := []string{all[0], all[1], all[len(all)-1]}
	slices.Sort(out)
	return out
}

// longest is the number of parameters of a type's longest compound.
func longest(typ string) int {
	n := 0
	for _, c := range search.Compounds(typ) {
		n = max(n, len(c.Params))
	}
	return n
}

// kinds are the parameters of every type of the world: what those of compounds are, and one more of each kind.
var kinds = map[string]string{
	"patient": "reference", "subject": "reference", "code": "token", "date": "date", "value-quantity": "quantity",
	"status": "token", "identifier": "token", "name": "string", "link": "reference", "url": "uri", "period": "date", "score": "number",
	"code-value": "token+quantity", "code-code": "token+token", "mixed": "mixed",
	"date:present": "nothing", "code:present": "nothing",
}

// params are the names of kinds in a fixed order.
var params = func() []string {
	var out []string
	for p := range kinds {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}()

func pick[T any](w *world, of []T) T { return of[w.IntN(len(of))] }

func (w *world) typ() string { return pick(w, w.types) }

func (w *world) id() string { return pick(w, ids) }

// ids are logical ids whose order differs from that of their creation, and prefixes of each other.
var ids = func() []string {
	out := []string{"a", "a-", "a.", "a0", "aa", "A", "b", "B-1", "b-1", strings.Repeat("z", 64)}
	for i := range 50 {
		out = append(out, fmt.Sprintf("%c%d", 'a'+i*7%26, i*37%100))
	}
	return out
}()

var (
	systems = []string{"", "http://a", "http://b", "urn:oid:1.2"}
	codes   = []string{"", "final", "a", "a\x00", "a\x00\x01", "b", "b|c", "ab", "\xff", "8480-6"}
	folded  = []string{"", "smith", "smithers", "smi", "jones", "jo\x00nes", strings.Repeat("long", 300), strings.Repeat("long", 300) + "er"}
	exact   = []string{"", "Smith", "SMITH", "Jones", strings.Repeat("Long", 300)}
	uris    = []string{"", "http://a/1", "http://a/1/2", "urn:x", "http://b"}
	moments = []string{"20200101", "20200102", "2020010212", "20200115", "202001311", "20200131", "20200201", "20200301", "20210101", "20210615", "19990101", "-", "~"}
	numbers = []string{"O", "P50001", "P500012", "P50002", "P5001", "P50019", "N4998~", "N49988~", "-", "~"}
)

// token, text, interval ... fill an entry of a kind.
func (w *world) entry(kind string) search.Entry {
	var e search.Entry
	switch kind {
	case "token":
		e.System, e.Code = pick(w, systems), pick(w, codes)
	case "string":
		e.Folded, e.Exact = pick(w, folded), pick(w, exact)
	case "date":
		e.Lo, e.Hi = w.interval(moments)
	case "number", "quantity":
		e.Lo, e.Hi = w.interval(numbers)
		if kind == "quantity" {
			e.System, e.Code = pick(w, systems), pick(w, codes)
		}
	case "reference":
		if w.IntN(8) == 0 {
			e.URI = pick(w, uris)
		} else {
			e.Type, e.ID = w.typ(), w.id()
		}
	case "uri":
		e.URI = pick(w, uris)
	case "token+quantity":
		e.Parts = []search.Entry{w.entry("token"), w.entry("quantity")}
	case "token+token":
		e.Parts = []search.Entry{w.entry("token"), w.entry("token")}
	case "mixed":
		return w.entry(pick(w, []string{"token", "string", "number", "reference", "token+token"}))
	}
	return e
}

// interval returns a range: a point, a short or a long one; now and then one that begins at its end.
func (w *world) interval(of []string) (lo, hi string) {
	lo = pick(w, of)
	switch w.IntN(4) {
	case 0:
		return lo, lo + "!"
	case 1:
		return lo, lo + "5"
	}
	hi = pick(w, of)
	if hi < lo && w.IntN(40) != 0 {
		lo, hi = hi, lo
	}
	return lo, hi
}

// entries returns what a resource is found by: of each parameter none, one or several entries. single parameters never have several.
func (w *world) entries() []search.Entry {
	var out []search.Entry
	for _, p := range params {
		n := []int{0, 1, 1, 1, 2, 4}[w.IntN(6)]
		if p == "date" || p == "score" {
			n = min(n, 1)
		}
		if (p == "mixed" || kinds[p] == "nothing") && w.IntN(4) != 0 {
			n = 0
		}
		for range n {
			e := w.entry(kinds[p])
			e.Param = p
			out = append(out, e)
		}
	}
	if w.IntN(4) == 0 {
		out = w.held(out)
	}
	w.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// held appends the entries of what a resource holds: contained resources that refer to each other, and one that is inline.
func (w *world) held(out []search.Entry) []search.Entry {
	inner := func() []search.Entry {
		var e []search.Entry
		for range w.IntN(5) {
			p := pick(w, params)
			one := w.entry(kinds[p])
			one.Param = p
			e = append(e, one)
		}
		if w.IntN(3) == 0 {
			e = append(e, search.ToHeld(pick(w, []string{"patient", "link"}), w.typ(), pick(w, []string{"p", "q"})))
		}
		return e
	}
	for _, id := range []string{"p", "q"} {
		typ := w.typ()
		if w.IntN(2) == 0 {
			out = search.AppendHeld(out, false, typ, id, inner())
			out = append(out, search.ToHeld(pick(w, []string{"patient", "link"}), typ, id))
		}
	}
	if w.IntN(2) == 0 {
		typ := w.typ()
		inside := inner()
		if w.IntN(2) == 0 {
			inside = search.AppendHeld(inside, false, w.typ(), "p", inner())
		}
		out = search.AppendHeld(out, true, typ, "@1", inside)
		out = append(out, search.ToHeld(pick(w, []string{"patient", "link"}), typ, "@1"))
	}
	return out
}

// fields are what conditions on a kind usually compare.
var fields = map[string][]search.Field{
	"token": {search.Code, search.Code, search.System}, "string": {search.Folded, search.Exact},
	"date": {search.Lo, search.Hi}, "number": {search.Lo, search.Hi}, "quantity": {search.Lo, search.Hi, search.Code, search.System},
	"reference": {search.ID, search.ID, search.Type, search.URI}, "uri": {search.URI},
}

// value returns a value that a field may have.
func (w *world) value(kind string, f search.Field) string {
	switch f {
	case search.System:
		return pick(w, systems)
	case search.Code:
		return pick(w, codes)
	case search.Folded:
		return pick(w, folded)
	case search.Exact:
		return pick(w, exact)
	case search.Type:
		return w.typ()
	case search.ID:
		return w.id()
	case search.URI:
		return pick(w, uris)
	}
	if kind == "date" {
		return pick(w, moments)
	}
	return pick(w, numbers)
}

// where returns comparisons on one part.
func (w *world) where(part int, kind string) []search.Comparison {
	var out []search.Comparison
	if kind == "date" || kind == "number" || kind == "quantity" {
		if w.IntN(3) > 0 {
			v := w.value(kind, search.Lo)
			out = append(out, pick(w, [][]search.Comparison{
				{{Field: search.Lo, Op: search.Ge, Value: v}, {Field: search.Hi, Op: search.Le, Value: v + "5"}},
				{{Field: search.Hi, Op: search.Gt, Value: v}},
				{{Field: search.Lo, Op: search.Lt, Value: v}},
				{{Field: search.Lo, Op: search.Ge, Value: v}},
				{{Field: search.Hi, Op: search.Le, Value: v}},
				{{Field: search.Lo, Op: search.Lt, Value: v + "5"}, {Field: search.Hi, Op: search.Gt, Value: v}},
			})...)
		}
	} else if kind == "reference" && w.IntN(2) == 0 {
		out = []search.Comparison{{Field: search.Type, Op: search.Eq, Value: w.typ()}, {Field: search.ID, Op: search.Eq, Value: w.id()}}
	}
	for range w.IntN(2) + 1 {
		if len(out) > 0 && w.IntN(2) == 0 {
			break
		}
		fs := fields[kind]
		f := search.Field(w.IntN(9) + 1)
		if len(fs) > 0 && w.IntN(12) != 0 {
			f = pick(w, fs)
		}
		op := search.Eq
		if w.IntN(3) == 0 {
			op = search.Op(w.IntN(8) + 1)
		}
		v := w.value(kind, f)
		if w.IntN(16) == 0 && v != "" {
			v = v[:w.IntN(len(v))]
		}
		if op == search.Suffix && v != "" && w.IntN(2) == 0 {
			v = v[w.IntN(len(v)):]
		}
		out = append(out, search.Comparison{Field: f, Op: op, Value: v})
	}
	for i := range out {
		out[i].Part = part
	}
	return out
}

// some returns a condition on one parameter.
func (w *world) some(p string) search.Expr {
	switch w.IntN(20) {
	case 0:
		return search.Some{Param: p}
	case 1:
		return w.missing()
	}
	kind := kinds[p]
	one := func() search.Some {
		switch kind {
		case "mixed":
			return search.Some{Param: p, Where: w.where(0, pick(w, []string{"token", "string", "number", "reference"}))}
		case "token+quantity", "token+token":
			_, second, _ := strings.Cut(kind, "+")
			return search.Some{Param: p, Where: append(w.where(1, "token"), w.where(2, second)...)}
		}
		return search.Some{Param: p, Where: w.where(0, kind)}
	}
	if w.IntN(4) > 0 {
		return one()
	}
	var or search.Or
	for range []int{1, 2, 3, 12, 30}[w.IntN(5)] {
		or = append(or, one())
	}
	return or
}

// missing returns what :missing asks for: entries under the name of a parameter or under that of values without one, or neither.
func (w *world) missing() search.Expr {
	p := pick(w, []string{"date", "code"})
	plain, present := search.Some{Param: p}, search.Some{Param: p + ":present"}
	if w.IntN(2) == 0 {
		return search.Or{plain, present}
	}
	return search.And{search.Not{Expr: plain}, search.Not{Expr: present}}
}

// expr returns a condition.
func (w *world) expr(depth int) search.Expr {
	n := 10
	if depth > 0 {
		n = 19
	}
	switch k := w.IntN(n); k {
	case 8:
		var list []string
		for range w.IntN(6) {
			list = append(list, w.id())
		}
		return search.KeyIn{IDs: list}
	case 9:
		return w.some("name")
	case 10, 11, 12, 13:
		var and search.And
		for range w.IntN(4) {
			and = append(and, w.expr(depth-1))
		}
		return and
	case 14:
		var or search.Or
		for range w.IntN(4) {
			or = append(or, w.expr(depth-1))
		}
		return or
	case 18:
		return search.Within{Param: pick(w, []string{"", "patient", "link"}), Target: w.typ(), InPlace: w.IntN(4) == 0, Where: w.expr(depth - 1)}
	case 15:
		return search.Not{Expr: w.expr(depth - 1)}
	case 16:
		return search.Refers{Param: pick(w, []string{"patient", "link"}), Target: w.typ(), Where: w.expr(depth - 1)}
	case 17:
		if w.IntN(2) == 0 {
			return search.Referred{Source: w.typ(), Param: pick(w, []string{"patient", "subject"}), Where: w.hot()}
		}
		return search.Referred{Source: w.typ(), Param: pick(w, []string{"patient", "link"}), Where: w.expr(depth - 1)}
	}
	return w.some(pick(w, params))
}

// hot returns a condition of the shapes that clients ask for most: equality on several parameters and a range.
func (w *world) hot() search.Expr {
	and := search.And{}
	for _, p := range []string{"patient", "subject", "code"} {
		if w.IntN(2) == 0 {
			s := search.Some{Param: p, Where: []search.Comparison{{Field: search.Code, Op: search.Eq, Value: pick(w, codes)}}}
			if p != "code" {
				s.Where = []search.Comparison{{Field: search.Type, Op: search.Eq, Value: w.typ()}, {Field: search.ID, Op: search.Eq, Value: w.id()}}
			}
			and = append(and, s)
		}
	}
	for range w.IntN(3) {
		and = append(and, w.some(pick(w, []string{"date", "date", "value-quantity"})))
	}
	if w.IntN(8) == 0 {
		and = append(and, w.expr(1))
	}
	return and
}

// query returns a query without a page.
func (w *world) query() search.Query {
	q := search.Query{Types: []string{w.typ()}}
	if w.IntN(4) == 0 {
		q.Types = w.types
	}
	switch w.IntN(6) {
	case 0, 1:
		q.Where = w.hot()
	case 5:
		return w.window(q)
	case 2:
		q.Where = nil
		if w.IntN(4) > 0 {
			q.Where = w.expr(0)
		}
	default:
		q.Where = w.expr(2)
	}
	if w.IntN(2) == 0 {
		for range w.IntN(3) {
			s := search.Sort{Param: pick(w, append([]string{search.SortByID, "date", "date"}, params...)), Desc: w.IntN(2) == 0}
			if w.IntN(8) == 0 && s.Param != search.SortByID {
				s.Chain = &search.SortChain{Param: "patient", Target: w.typ()}
				if w.IntN(2) == 0 {
					s.Chain.Named = search.NewNamedValues(map[string]string{pick(w, uris): pick(w, codes), pick(w, uris): pick(w, moments)})
				}
			}
			q.Sort = append(q.Sort, s)
		}
	}
	return q
}

// window makes of q what clients ask of a period, or of what reaches into it, in its order: what a resource has of it is narrow or wide.
func (w *world) window(q search.Query) search.Query {
	p, of := "date", moments
	if w.IntN(4) == 0 {
		p, of = "score", numbers
	}
	and := search.And{}
	if w.IntN(2) == 0 {
		and = append(and, search.Some{Param: "code", Where: []search.Comparison{{Field: search.Code, Op: search.Eq, Value: pick(w, codes)}}})
	}
	if w.IntN(3) == 0 {
		and = append(and, search.Some{Param: "patient", Where: []search.Comparison{{Field: search.Type, Op: search.Eq, Value: w.typ()}, {Field: search.ID, Op: search.Eq, Value: w.id()}}})
	}
	above := func(v string) search.Expr {
		return search.Some{Param: p, Where: []search.Comparison{{Field: search.Hi, Op: search.Gt, Value: v}}}
	}
	begin := pick(w, of)
	switch w.IntN(3) {
	case 0:
		and = append(and, above(begin))
	case 1:
		and = append(and, search.Or{search.Some{Param: p, Where: []search.Comparison{{Field: search.Lo, Op: search.Ge, Value: begin}}}, above(begin + "5")})
	default:
		and = append(and, search.Some{Param: p, Where: []search.Comparison{{Field: search.Lo, Op: search.Lt, Value: pick(w, of)}, {Field: search.Hi, Op: search.Gt, Value: begin}}})
	}
	if w.IntN(2) == 0 {
		and = append(and, search.Some{Param: p, Where: []search.Comparison{{Field: search.Lo, Op: search.Lt, Value: pick(w, of)}}})
	}
	if w.IntN(8) == 0 {
		and = append(and, w.expr(1))
	}
	q.Where = and
	q.Sort = []search.Sort{{Param: p, Desc: w.IntN(2) == 0}}
	if w.IntN(3) == 0 {
		q.Sort = append(q.Sort, search.Sort{Param: pick(w, params), Desc: w.IntN(2) == 0})
	}
	return q
}

// key returns a random key.
func (w *world) key() fhir.Key { return fhir.Key{Type: w.typ(), ID: w.id()} }
