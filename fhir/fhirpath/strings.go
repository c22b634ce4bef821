package fhirpath

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strings"
	"unicode/utf8"

	"github.com/fhirgate/fhirgate/fhir"
)

// Functions of N1, String Manipulation, and the ones of its successor that R4's suite uses. Positions count characters, not bytes.

var text = []Kind{String}

var (
	oneText = [][]Kind{{String}}
	twoText = [][]Kind{{String}, {String}}
)

var _ = define(map[string]*function{
	"indexOf":     {min: 1, max: 1, input: text, params: oneText, result: answers(Integer), run: textFunc(indexOf(strings.Index))},
	"lastIndexOf": {min: 1, max: 1, input: text, params: oneText, result: answers(Integer), run: textFunc(indexOf(strings.LastIndex))},
	"substring":   {min: 1, max: 2, input: text, params: [][]Kind{{Integer}, {Integer}}, result: answers(String), run: runSubstring},
	"startsWith":  {min: 1, max: 1, input: text, params: oneText, result: answers(Boolean), run: textFunc(tests(strings.HasPrefix))},
	"endsWith":    {min: 1, max: 1, input: text, params: oneText, result: answers(Boolean), run: textFunc(tests(strings.HasSuffix))},
	"contains":    {min: 1, max: 1, input: text, params: oneText, result: answers(Boolean), run: textFunc(tests(strings.Contains))},
	"upper":       {input: text, result: answers(String), run: textFunc(maps(strings.ToUpper))},
	"lower":       {input: text, result: answers(String), run: textFunc(maps(strings.ToLower))},
	"trim":        {input: text, result: answers(String), run: textFunc(maps(strings.TrimSpace))},
	"length": {input: text, result: answers(Integer), run: textFunc(func(m *machine, x *callExpr, s string, _ []string) error {
		m.push(IntegerItem(int64(utf8.RuneCountInString(s))))
		return nil
	})},
	"toChars": {input: text, result: severalTexts, run: textFunc(func(m *machine, x *callExpr, s string, _ []string) error {
		for _, r := range s {
			m.push(StringItem(string(r)))
		}
		return m.step(len(s), x.pos)
	})},
	"split": {min: 1, max: 1, input: text, params: oneText, result: severalTexts, run: textFunc(func(m *machine, x *callExpr, s string, args []string) error {
		if args[0] == "" {
			m.push(StringItem(s))
			return nil
		}
		for part := range strings.SplitSeq(s, args[0]) {
			m.push(StringItem(part))
		}
		return m.step(len(s), x.pos)
	})},
	"join":           {max: 1, input: text, params: oneText, result: answers(String), run: runJoin},
	"replace":        {min: 2, max: 2, input: text, params: twoText, result: answers(String), run: textFunc(replace)},
	"matches":        {min: 1, max: 1, input: text, params: oneText, compile: compileRegex, run: textFunc(matches(false))},
	"matchesFull":    {min: 1, max: 1, input: text, params: oneText, compile: compileRegex, run: textFunc(matches(true))},
	"replaceMatches": {min: 2, max: 2, input: text, params: twoText, compile: compileRegex, run: textFunc(replaceMatches)},
	"encode":         {min: 1, max: 1, input: text, params: oneText, result: answers(String), run: textFunc(encode)},
	"decode":         {min: 1, max: 1, input: text, params: oneText, result: answers(String), run: textFunc(decode)},
	"escape":         {min: 1, max: 1, input: text, params: oneText, result: answers(String), run: textFunc(escape)},
	"unescape":       {min: 1, max: 1, input: text, params: oneText, result: answers(String), run: textFunc(unescape)},
})

func severalTexts(*compiler, static, []static) static {
	s := system(String)
	s.many = true
	return s
}

// text reads the input as one String; ok is false, and the input gone, where there is none.
func (m *machine) text(x *callExpr, base int) (s string, ok bool, err error) {
	it, ok, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok {
		return "", false, err
	}
	v := it.value()
	if v.kind == String {
		return v.s, true, nil
	}
	if v.kind == NoKind && valueless(&it) {
		return "", false, nil
	}
	return "", false, m.fail(x.pos, fhir.IDFHIRPathType, "the input is not a string", "a String")
}

// textArgument evaluates an argument as a single String.
func (m *machine) textArgument(x *callExpr, i int) (s string, ok bool, err error) {
	v, ok, err := m.argument(x, i)
	if err == nil && ok && v.kind != String {
		err = m.fail(x.pos, fhir.IDFHIRPathType, "an argument is not a string", "a String")
	}
	return v.s, ok, err
}

// textFunc returns a function over a string and string arguments, which answers emptily where one of them is empty. f pushes the answer.
func textFunc(f func(m *machine, x *callExpr, s string, args []string) error) func(*machine, *callExpr, int) error {
	return func(m *machine, x *callExpr, base int) error {
		s, ok, err := m.text(x, base)
		if err != nil || !ok {
			return err
		}
		var buf [2]string
		args := buf[:0]
		for i := range x.args {
			arg, ok, err := m.textArgument(x, i)
			if err != nil || !ok {
				return err
			}
			args = append(args, arg)
		}
		if err := m.step(len(s)>>6, x.pos); err != nil {
			return err
		}
		return f(m, x, s, args)
	}
}

func indexOf(find func(s, sub string) int) func(*machine, *callExpr, string, []string) error {
	return func(m *machine, x *callExpr, s string, args []string) error {
		i := find(s, args[0])
		if i > 0 {
			i = utf8.RuneCountInString(s[:i])
		}
		m.push(IntegerItem(int64(i)))
		return nil
	}
}

func tests(f func(s, arg string) bool) func(*machine, *callExpr, string, []string) error {
	return func(m *machine, x *callExpr, s string, args []string) error {
		m.push(BooleanItem(f(s, args[0])))
		return nil
	}
}

func maps(f func(string) string) func(*machine, *callExpr, string, []string) error {
	return func(m *machine, x *callExpr, s string, _ []string) error {
		return m.answerText(len(m.stack), f(s), x.pos)
	}
}

func runSubstring(m *machine, x *callExpr, base int) error {
	s, ok, err := m.text(x, base)
	if err != nil || !ok {
		return err
	}
	if err := m.step(len(s)>>6, x.pos); err != nil {
		return err
	}
	start, ok, err := m.integerArgument(x, 0)
	if err != nil || !ok || start < 0 {
		return err
	}
	from, ok := runeOffset(s, start)
	if !ok {
		return nil
	}
	s = s[from:]
	n, ok, err := m.integerArgument(x, 1)
	if err != nil {
		return err
	}
	if ok {
		if end, within := runeOffset(s, max(n, 0)); within {
			s = s[:end]
		}
	}
	m.push(StringItem(s))
	return nil
}

// runeOffset returns the byte offset of the n-th character; false where s has no more than n.
func runeOffset(s string, n int64) (int, bool) {
	for i := range s {
		if n == 0 {
			return i, true
		}
		n--
	}
	return 0, false
}

func runJoin(m *machine, x *callExpr, base int) error {
	sep, _, err := m.textArgument(x, 0)
	if err != nil {
		return err
	}
	if len(m.stack) == base {
		return nil
	}
	var b strings.Builder
	for i, first := base, true; i < len(m.stack); i++ {
		v := m.stack[i].value()
		if v.kind != String {
			if valueless(&m.stack[i]) {
				continue
			}
			return m.fail(x.pos, fhir.IDFHIRPathType, "an item of the input is not a string", "Strings")
		}
		if !first {
			b.WriteString(sep)
		}
		first = false
		b.WriteString(v.s)
		if b.Len() > m.prog.limits.Text {
			break
		}
	}
	return m.answerText(base, b.String(), x.pos)
}

func replace(m *machine, x *callExpr, s string, args []string) error {
	// The size is known before the work: every occurrence adds the difference of the lengths.
	if n := strings.Count(s, args[0]); len(s)+n*len(args[1]) > m.prog.limits.Text {
		return m.fail(x.pos, fhir.IDFHIRPathLimit, "a computed text is longer than allowed", "a shorter text")
	}
	return m.answerText(len(m.stack), strings.ReplaceAll(s, args[0], args[1]), x.pos)
}

func encode(m *machine, x *callExpr, s string, args []string) error {
	switch args[0] {
	case "hex":
		s = hex.EncodeToString([]byte(s))
	case "base64":
		s = base64.StdEncoding.EncodeToString([]byte(s))
	case "urlbase64":
		s = base64.URLEncoding.EncodeToString([]byte(s))
	default:
		return nil
	}
	return m.answerText(len(m.stack), s, x.pos)
}

func decode(m *machine, x *callExpr, s string, args []string) error {
	var b []byte
	var err error
	switch args[0] {
	case "hex":
		b, err = hex.DecodeString(s)
	case "base64":
		b, err = base64.StdEncoding.DecodeString(s)
	case "urlbase64":
		b, err = base64.URLEncoding.DecodeString(s)
	default:
		return nil
	}
	if err != nil || !utf8.Valid(b) {
		return nil
	}
	return m.answerText(len(m.stack), string(b), x.pos)
}

func escape(m *machine, x *callExpr, s string, args []string) error {
	switch args[0] {
	case "html":
		s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(s)
	case "json":
		b := fhir.AppendString(nil, s)
		s = string(b[1 : len(b)-1])
	default:
		return nil
	}
	return m.answerText(len(m.stack), s, x.pos)
}

func unescape(m *machine, x *callExpr, s string, args []string) error {
	switch args[0] {
	case "html":
		s = html.UnescapeString(s)
	case "json":
		t, err := fhir.Parse(jsonLiteral(s), fhir.Limits{})
		if err != nil {
			return nil
		}
		s = t.Root().Text()
	default:
		return nil
	}
	return m.answerText(len(m.stack), s, x.pos)
}

// jsonLiteral puts a text with JSON escapes in quotes, and escapes what stands in it bare.
func jsonLiteral(s string) []byte {
	b := append(make([]byte, 0, len(s)+2), '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
			b = append(b, c, s[i])
		case c == '"':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', '0'+c>>4, "0123456789abcdef"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
