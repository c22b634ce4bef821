package search

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir"
)

// The syntax of _filter (http://hl7.org/fhir/R4/search_filter.html):
//
//	filter    = paramExp / logExp / ("not") "(" filter ")"
//	logExp    = filter ("and" / "or" filter)+
//	paramExp  = paramPath SP compareOp SP compValue
//	paramPath = paramName (("[" filter "]") "." paramPath)
//
// "Logical expressions are evaluated left to right, with no precedence between and and or." A name may say the type that a reference leads to,
// as those of chains do ("subject:Patient.name"), and may be one of _has ("_has:Observation:patient:code").

// The bounds of one filter.
const (
	maxFilter      = 32 << 10 // bytes
	maxFilterTests = 500      // comparisons
	maxFilterDepth = 20       // of parentheses, brackets and not
)

// filterNode is a filter as it was read: and, or and not with kids, or a test without.
type filterNode struct {
	logic string // "and", "or", "not"; "" for a test
	kids  []*filterNode
	test  filterTest
	depth int // of what is nested in it
}

// join returns the node that joins others.
func join(logic string, kids ...*filterNode) (*filterNode, error) {
	n := &filterNode{logic: logic, kids: kids}
	for _, k := range kids {
		n.depth = max(n.depth, k.depth+1)
	}
	if n.depth > maxFilterDepth {
		return nil, tooCostly("a filter is nested at most " + strconv.Itoa(maxFilterDepth) + " deep, where and and or take turns without parentheses too")
	}
	return n, nil
}

// filterTest compares the values that a path leads to.
type filterTest struct {
	path    []filterStep
	compare string
	value   string
	quoted  bool // the value was a JSON string
}

// filterStep is one name of a path; within is the filter in brackets behind it, nil for none.
type filterStep struct {
	name   string
	of     string // the type behind a colon
	within *filterNode
}

// readFilter reads the text of a _filter.
func readFilter(text string) (*filterNode, error) {
	if len(text) > maxFilter {
		return nil, tooCostly("a filter has at most " + strconv.Itoa(maxFilter) + " bytes")
	}
	r := &filterReader{rest: text}
	n, err := r.filter(0)
	if err != nil {
		return nil, err
	}
	if r.rest != "" {
		return nil, badFilter(`something follows the filter's end; tests are joined by "and" and "or"`)
	}
	return n, nil
}

func badFilter(text string) error {
	return badValue(fhir.IDBadFilter, `a filter is tests "path operator value", joined by and, or, not (...) and parentheses: `+text)
}

// filterReader is a recursive descent over what is left of a filter.
type filterReader struct {
	rest  string
	tests int
}

func (r *filterReader) space() { r.rest = strings.TrimLeftFunc(r.rest, unicode.IsSpace) }

// word takes a keyword that a space or one of the characters of after follows.
func (r *filterReader) word(keyword, after string) bool {
	if len(r.rest) < len(keyword) || !strings.EqualFold(r.rest[:len(keyword)], keyword) {
		return false
	}
	rest := r.rest[len(keyword):]
	if c, _ := utf8.DecodeRuneInString(rest); rest == "" || !unicode.IsSpace(c) && !strings.ContainsRune(after, c) {
		return false
	}
	r.rest = rest
	r.space()
	return true
}

func (r *filterReader) take(c byte) bool {
	if r.rest == "" || r.rest[0] != c {
		return false
	}
	r.rest = r.rest[1:]
	r.space()
	return true
}

// filter reads tests and the words between them, up to a closing bracket or the end.
func (r *filterReader) filter(depth int) (*filterNode, error) {
	left, err := r.operand(depth)
	for err == nil {
		logic := ""
		switch {
		case r.word("and", "("):
			logic = "and"
		case r.word("or", "("):
			logic = "or"
		default:
			return left, nil
		}
		var right *filterNode
		if right, err = r.operand(depth); err != nil {
			break
		}
		if left.logic == logic {
			left, err = join(logic, append(left.kids, right)...)
		} else {
			left, err = join(logic, left, right)
		}
	}
	return nil, err
}

// operand reads a test, or a filter in parentheses.
func (r *filterReader) operand(depth int) (*filterNode, error) {
	r.space()
	if depth > maxFilterDepth {
		return nil, tooCostly("a filter is nested at most " + strconv.Itoa(maxFilterDepth) + " deep")
	}
	if r.word("not", "(") {
		n, err := r.operand(depth + 1)
		if err != nil {
			return nil, err
		}
		return join("not", n)
	}
	if !r.take('(') {
		test, err := r.test(depth)
		return &filterNode{test: test}, err
	}
	n, err := r.filter(depth + 1)
	if err == nil && !r.take(')') {
		err = badFilter("a parenthesis is not closed")
	}
	if err != nil {
		return nil, err
	}
	// A node of its own, so that what follows is not taken into it.
	return join("and", n)
}

// test reads a path, an operator and a value.
func (r *filterReader) test(depth int) (t filterTest, err error) {
	if r.tests++; r.tests > maxFilterTests {
		return t, tooCostly("a filter has at most " + strconv.Itoa(maxFilterTests) + " tests")
	}
	for {
		step, err := r.step(depth)
		if err != nil {
			return t, err
		}
		t.path = append(t.path, step)
		if strings.HasPrefix(r.rest, ".") {
			r.rest = r.rest[1:]
			continue
		}
		if step.within != nil {
			return t, badFilter(`a point and a name follow "]"`)
		}
		break
	}
	if r.rest != "" && !startsWithSpace(r.rest) {
		return t, badFilter("a space follows a path, which is names of search parameters and points")
	}
	r.space()
	n := strings.IndexFunc(r.rest, unicode.IsSpace)
	if n < 0 {
		return t, badFilter("an operator and a value follow a path")
	}
	t.compare = strings.ToLower(r.rest[:n])
	r.rest = r.rest[n:]
	r.space()
	if t.value, t.quoted, err = r.value(); err != nil {
		return t, err
	}
	r.space()
	return t, nil
}

func startsWithSpace(s string) bool {
	c, _ := utf8.DecodeRuneInString(s)
	return unicode.IsSpace(c)
}

// step reads a name, and the filter in brackets behind it.
func (r *filterReader) step(depth int) (s filterStep, err error) {
	n := 0
	for n < len(r.rest) && (isLetter(r.rest[n]) || isDigit(r.rest[n]) || strings.IndexByte("_-:", r.rest[n]) >= 0) {
		n++
	}
	s.name, r.rest = r.rest[:n], r.rest[n:]
	if s.name == "" || isDigit(s.name[0]) || s.name[0] == '-' {
		return s, badFilter("the name of a search parameter is missing")
	}
	if !strings.HasPrefix(s.name, "_has:") {
		s.name, s.of, _ = strings.Cut(s.name, ":")
	}
	if !r.take('[') {
		return s, nil
	}
	if s.within, err = r.filter(depth + 1); err != nil {
		return s, err
	}
	if !strings.HasPrefix(r.rest, "]") {
		return s, badFilter("a bracket is not closed")
	}
	r.rest = r.rest[1:]
	return s, nil
}

// value reads a JSON string, or what stands up to a space or a closing bracket.
func (r *filterReader) value() (value string, quoted bool, err error) {
	if strings.HasPrefix(r.rest, `"`) {
		end := 1
		for end < len(r.rest) && r.rest[end] != '"' {
			if r.rest[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(r.rest) || json.Unmarshal([]byte(r.rest[:end+1]), &value) != nil {
			return "", false, badFilter("a string in quotes does not end, or is none of JSON")
		}
		r.rest = r.rest[end+1:]
		quoted = true
		if c := r.rest; c != "" && !startsWithSpace(c) && c[0] != ')' && c[0] != ']' {
			return "", false, badFilter("a space follows a string")
		}
	} else {
		n := strings.IndexFunc(r.rest, func(c rune) bool { return unicode.IsSpace(c) || c == ')' || c == ']' })
		if n < 0 {
			n = len(r.rest)
		}
		value, r.rest = r.rest[:n], r.rest[n:]
	}
	if value == "" || !clean(value) {
		return "", false, badFilter("a value is empty, or has control characters")
	}
	return value, quoted, nil
}
