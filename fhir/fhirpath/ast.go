package fhirpath

// astKind says what an ast node is.
type astKind uint8

const (
	astEmpty    astKind = iota // {}
	astBool                    // text is true or false
	astString                  // text is the value
	astNumber                  // text as written
	astQuantity                // text is the number, unit the unit; word is set for a calendar unit
	astDate                    // text without @
	astTime                    // text without @T
	astExternal                // text is the name after %
	astDollar                  // text is $this, $index or $total; in is what stands before its dot, if any
	astMember                  // in.text
	astCall                    // in.text(args...)
	astIndex                   // in[args[0]]
	astUnary                   // text args[0]
	astBinary                  // args[0] text args[1]
	astType                    // in text names, where text is "is" or "as"
)

// ast is one node of a parsed expression. The in of a member, a call or a $variable is nil where nothing stands in front of it. Parentheses leave no node:
// print puts them where precedence needs them.
type ast struct {
	kind  astKind
	word  bool // a calendar unit rather than a UCUM string
	pos   int  // byte offset in the source
	text  string
	unit  string
	names []string // the parts of a type specifier
	in    *ast
	args  []*ast
}

// equal reports whether two trees are the same expression, wherever it stood.
func (a *ast) equal(b *ast) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.kind != b.kind || a.word != b.word || a.text != b.text || a.unit != b.unit || len(a.names) != len(b.names) || len(a.args) != len(b.args) {
		return false
	}
	for i := range a.names {
		if a.names[i] != b.names[i] {
			return false
		}
	}
	for i := range a.args {
		if !a.args[i].equal(b.args[i]) {
			return false
		}
	}
	return a.in.equal(b.in)
}

// Expression is a parsed expression. It is immutable.
type Expression struct {
	src  string
	root *ast
}

// Equal reports whether e and o are the same program: the same tree, whatever their white space, comments and needless parentheses.
func (e *Expression) Equal(o *Expression) bool { return e.root.equal(o.root) }

// The binding powers of N1's grammar, from loose to tight.
const (
	bindImplies = iota + 1
	bindOr
	bindAnd
	bindMembership
	bindEquality
	bindInequality
	bindUnion
	bindType
	bindAdd
	bindMultiply
	bindUnary
	bindInvocation
)

// bindings maps each binary operator, is and as included, to its binding power.
var bindings = map[string]int{
	"implies": bindImplies,
	"or":      bindOr, "xor": bindOr,
	"and": bindAnd,
	"in":  bindMembership, "contains": bindMembership,
	"=": bindEquality, "~": bindEquality, "!=": bindEquality, "!~": bindEquality,
	"<": bindInequality, ">": bindInequality, "<=": bindInequality, ">=": bindInequality,
	"|":  bindUnion,
	"is": bindType, "as": bindType,
	"+": bindAdd, "-": bindAdd, "&": bindAdd,
	"*": bindMultiply, "/": bindMultiply, "div": bindMultiply, "mod": bindMultiply,
}

// reserved are the keywords that are no identifiers unless they stand in back-quotes.
var reserved = map[string]bool{"and": true, "or": true, "xor": true, "implies": true, "div": true, "mod": true, "true": true, "false": true}

// calendarUnits maps the words that may follow a number to their singular.
var calendarUnits = map[string]string{
	"year": "year", "years": "year", "month": "month", "months": "month", "week": "week", "weeks": "week", "day": "day", "days": "day",
	"hour": "hour", "hours": "hour", "minute": "minute", "minutes": "minute", "second": "second", "seconds": "second",
	"millisecond": "millisecond", "milliseconds": "millisecond",
}
