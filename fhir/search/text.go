package search

import (
	"html"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// _text and _content (https://hl7.org/fhir/R4/search.html#content): words of the narrative, and of all text of the resource. "For example:
// GET [base]/Condition?_text=(bone OR liver) and metastases". A word is compared as a whole, folded as strings are.

// wordParam are the names under which words are kept: those of the narrative, and those of the other texts. _content asks for both.
const (
	wordsOfText    = "_text"
	wordsOfContent = "_content"
)

// textExpr reads a text query: words, AND, OR, NOT in any case of letters, and parentheses. Words that stand beside each other are And. Words
// in quotes are, too: their order is not looked at, and so it is refused to ask for it.
func textExpr(param, value string) (Expr, error) {
	t := textQuery{param: param, rest: strings.TrimSpace(value)}
	e, err := t.or(0)
	if err != nil {
		return nil, err
	}
	if t.rest != "" {
		return nil, badText()
	}
	return e, nil
}

func badText() error {
	return badValue(fhir.IDBadText, "a text is words, AND, OR, NOT and parentheses; phrases in quotes and wildcards are not supported")
}

// textQuery is a recursive descent over what is left of a text query.
type textQuery struct {
	param string
	rest  string
	words int
}

// next returns the next word or parenthesis without taking it.
func (t *textQuery) next() string {
	if t.rest == "" || t.rest[0] == '(' || t.rest[0] == ')' {
		return t.rest[:min(1, len(t.rest))]
	}
	if i := strings.IndexAny(t.rest, " \t\r\n()"); i >= 0 {
		return t.rest[:i]
	}
	return t.rest
}

func (t *textQuery) take(token string) {
	t.rest = strings.TrimLeft(t.rest[len(token):], " \t\r\n")
}

func (t *textQuery) or(depth int) (Expr, error) {
	var list []Expr
	for {
		e, err := t.and(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		if !strings.EqualFold(t.next(), "OR") {
			return anyOf(list), nil
		}
		t.take("OR")
	}
}

func (t *textQuery) and(depth int) (Expr, error) {
	var list []Expr
	for {
		e, err := t.operand(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
		n := t.next()
		if strings.EqualFold(n, "AND") {
			t.take(n)
			continue
		}
		if n == "" || n == ")" || strings.EqualFold(n, "OR") {
			return allOf(list), nil
		}
	}
}

// maxTextDepth and maxTextWords bound what one value of _text or _content asks.
const (
	maxTextDepth = 20
	maxTextWords = 100
)

func (t *textQuery) operand(depth int) (Expr, error) {
	n := t.next()
	switch {
	case depth > maxTextDepth || t.words > maxTextWords:
		return nil, tooCostly("the text has at most " + strconv.Itoa(maxTextWords) + " words, and parentheses " + strconv.Itoa(maxTextDepth) + " deep")
	case n == "(":
		t.take(n)
		e, err := t.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if t.next() != ")" {
			return nil, badText()
		}
		t.take(")")
		return e, nil
	case strings.EqualFold(n, "NOT"):
		t.take(n)
		e, err := t.operand(depth + 1)
		if err != nil {
			return nil, err
		}
		return Not{Expr: e}, nil
	case n == "" || n == ")" || strings.EqualFold(n, "AND") || strings.EqualFold(n, "OR") || strings.ContainsAny(n, `"*?`):
		return nil, badText()
	}
	t.take(n)
	var list []Expr
	eachWord(n, func(w string) {
		t.words++
		list = append(list, t.word(w))
	})
	if len(list) == 0 {
		return nil, badText()
	}
	return allOf(list), nil
}

// word compares with one folded word.
func (t *textQuery) word(w string) Expr {
	where := []Comparison{{Field: Folded, Op: Eq, Value: w}}
	if t.param == wordsOfText {
		return Some{Param: wordsOfText, Where: where}
	}
	return Or{Some{Param: wordsOfContent, Where: where}, Some{Param: wordsOfText, Where: where}}
}

// narrativeText returns the text of a narrative's XHTML: without tags and comments, with references to characters resolved.
func narrativeText(div string) string {
	var b strings.Builder
	b.Grow(len(div))
	for div != "" {
		i := strings.IndexByte(div, '<')
		if i < 0 {
			b.WriteString(div)
			break
		}
		b.WriteString(div[:i])
		b.WriteByte(' ')
		end := ">"
		if strings.HasPrefix(div[i:], "<!--") {
			end = "-->"
		}
		j := strings.Index(div[i:], end)
		if j < 0 {
			break
		}
		div = div[i+j+len(end):]
	}
	return html.UnescapeString(b.String())
}
