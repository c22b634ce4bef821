package embedded

import (
	"github.com/fhirgate/fhirgate/fhir/search"
)

// choice is one way to read the rows of a slot that can satisfy an atom: those of a form, within bounds. The choices of an atom together
// have all of them.
type choice struct {
	letter byte
	b      bounds
	exact  bool   // every row within the bounds satisfies the atom
	reach  *reach // in place of bounds, for byHi
}

// fieldsOf are the fields that the entries of a form may set.
func fieldsOf(letter byte) []search.Field {
	switch letter {
	case byCode:
		return []search.Field{search.System, search.Code}
	case byFolded, byExact:
		return []search.Field{search.Folded, search.Exact}
	case byLo, byHi:
		return []search.Field{search.Lo, search.Hi, search.System, search.Code}
	case byID:
		return []search.Field{search.Type, search.ID}
	case byURI:
		return []search.Field{search.URI}
	}
	return nil
}

// possible reports whether an entry of a form can satisfy the comparisons on a part, as far as the fields that it never sets tell.
func possible(where []search.Comparison, part int, letter byte) bool {
	if letter == byNothing {
		return true
	}
	none := search.Entry{}
	fields := fieldsOf(letter)
next:
	for i := range where {
		c := where[i]
		if c.Part != part {
			continue
		}
		for _, f := range fields {
			if f == c.Field {
				continue next
			}
		}
		c.Part = 0
		if !none.Satisfies([]search.Comparison{c}) {
			return false
		}
	}
	return true
}

// letters are the forms of simple entries by bit.
var letters = [...]struct {
	form   shape
	letter byte
}{
	{shapeToken, byCode}, {shapeString, byFolded}, {shapeRange, byLo}, {shapeReference, byID}, {shapeURI, byURI},
}

// maxChoices bounds the scans of one atom.
const maxChoices = 20_000

// choices returns how the rows of a simple parameter that can satisfy an atom are read; false where its entries have other forms than the
// simple ones. No choices mean that nothing satisfies it.
func choices(st shapeState, e search.Expr) ([]choice, bool) {
	if st.shape&(shapeComposite|shapeOther) != 0 {
		return nil, false
	}
	var out []choice
	for _, l := range letters {
		if st.shape&l.form == 0 {
			continue
		}
		if l.letter == byLo {
			out = append(out, rangeChoices(e, st.shape)...)
			continue
		}
		eachSome(e, func(s search.Some) {
			if len(out) <= maxChoices && possible(s.Where, 0, l.letter) {
				out = append(out, choiceOf(s.Where, 0, l.letter))
			}
		})
	}
	return out, len(out) <= maxChoices
}

// choiceOf returns the choice for comparisons on one part.
func choiceOf(where []search.Comparison, part int, letter byte) choice {
	if letter == byFolded {
		for i := range where {
			c := &where[i]
			if c.Part == part && c.Field == search.Exact && c.Value != "" && (c.Op == search.Eq || c.Op == search.Prefix) {
				letter = byExact
			}
		}
	}
	b, exact := fieldBounds(where, part, column(letter))
	return choice{letter: letter, b: b, exact: exact && len(b.low) < maxColumn && len(b.high) < maxColumn}
}
