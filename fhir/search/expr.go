package search

// Op is a comparison of a field's bytes with a value's.
type Op uint8

// The operators.
const (
	Eq Op = iota + 1
	Lt
	Le
	Gt
	Ge
	Prefix   // the field starts with the value
	Contains // the value stands anywhere in the field
	Suffix   // the field ends with the value
)

// Comparison holds where the field of an entry (Part 0) or of its Part-th component (1, 2 ...) stands in the relation Op to Value. A field
// that the entry does not set is "".
type Comparison struct {
	Part  int
	Field Field
	Op    Op
	Value string
}

// Expr is a condition on one resource. The set is closed: And, Or, Not, Some, KeyIn, Refers, Referred, Within. Match says what each means; engines
// return exactly what Match accepts.
type Expr interface{ expr() }

// And holds where all hold; an empty And always holds.
type And []Expr

// Or holds where one holds; an empty Or never holds.
type Or []Expr

// Not holds where its Expr does not.
type Not struct{ Expr Expr }

// Some holds where one and the same entry of Param satisfies all comparisons. Without comparisons it holds where any entry of Param exists.
type Some struct {
	Param string
	Where []Comparison
}

// KeyIn holds where the resource's id is one of IDs.
type KeyIn struct{ IDs []string }

// Refers is a chain: it holds where an entry of the reference parameter Param points (by Type and ID) to an existing resource of type
// Target for which Where holds. A deleted target satisfies nothing.
type Refers struct {
	Param  string
	Target string
	Where  Expr
}

// Referred is _has: it holds where a resource of type Source for which Where holds has an entry of the reference parameter Param that
// points to this resource.
type Referred struct {
	Source string
	Param  string
	Where  Expr
}

func (And) expr()      {}
func (Or) expr()       {}
func (Not) expr()      {}
func (Some) expr()     {}
func (KeyIn) expr()    {}
func (Refers) expr()   {}
func (Referred) expr() {}

// Conjuncts returns the conditions that all hold where e does, those of nested Ands included; none where e is nil.
func Conjuncts(e Expr) []Expr { return conjuncts(nil, e) }

func conjuncts(dst []Expr, e Expr) []Expr {
	switch e := e.(type) {
	case nil:
		return dst
	case And:
		for _, x := range e {
			dst = conjuncts(dst, x)
		}
		return dst
	}
	return append(dst, e)
}
