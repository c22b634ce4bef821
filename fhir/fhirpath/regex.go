package fhirpath

import (
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// compileRegex compiles the regular expression once where it is a literal.
func compileRegex(c *compiler, a *ast, x *callExpr, in static) (expr, static, error) {
	for i, arg := range a.args {
		ax, as, err := c.scoped(arg)
		if err != nil {
			return nil, in, err
		}
		if !as.may(String) {
			return nil, in, c.fail(arg.pos, fhir.IDFHIRPathType, "an argument of "+a.text+"() is "+as.describe(), "a String")
		}
		x.args = append(x.args, ax)
		if i == 0 && arg.kind == astString {
			p, err := compilePattern(c.src, arg.pos, arg.text, a.text == "matchesFull", c.opts.limits.withDefaults().Regex)
			if err != nil {
				return nil, in, err
			}
			x.data = p
		}
	}
	if a.text == "replaceMatches" {
		return x, system(String), nil
	}
	return x, system(Boolean), nil
}

// pattern is a compiled regular expression with the number of its instructions, which times the length of a text is what matching may cost.
type pattern struct {
	re   *regexp.Regexp
	cost int
}

// maxPattern bounds the instructions of a regular expression: repetitions multiply them.
const maxPattern = 10_000

// compilePattern compiles a regular expression so that the dot matches line ends too (N1, matches).
func compilePattern(src string, pos int, text string, full bool, limit int) (*pattern, error) {
	if len(text) > limit {
		return nil, fail(src, pos, fhir.IDFHIRPathLimit, "a regular expression is longer than allowed", "a shorter one")
	}
	if full {
		text = `\A(?:` + text + `)\z`
	}
	text = "(?s)" + text
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fail(src, pos, fhir.IDFHIRPathRegex, "a regular expression is not understood", "the syntax of RE2, which has no back-references and no look-around")
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(prog.Inst) > maxPattern {
		return nil, fail(src, pos, fhir.IDFHIRPathLimit, "a regular expression is larger than allowed", "fewer repetitions")
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, fail(src, pos, fhir.IDFHIRPathRegex, "a regular expression is not understood", "the syntax of RE2")
	}
	return &pattern{re, len(prog.Inst)}, nil
}

// regex returns the compiled pattern of a call, once matching it with s is within the limit on steps.
func (m *machine) regex(x *callExpr, s, text string, full bool) (*regexp.Regexp, error) {
	p, ok := x.data.(*pattern)
	if !ok {
		if err := m.step(100+10*len(text), x.pos); err != nil {
			return nil, err
		}
		var err error
		if p, err = compilePattern(m.prog.src, x.pos, text, full, m.prog.limits.Regex); err != nil {
			return nil, err
		}
		m.steps += p.cost
	}
	return p.re, m.step(len(s)*p.cost>>2, x.pos)
}

func matches(full bool) func(*machine, *callExpr, string, []string) error {
	return func(m *machine, x *callExpr, s string, args []string) error {
		re, err := m.regex(x, s, args[0], full)
		if err != nil {
			return err
		}
		m.push(BooleanItem(re.MatchString(s)))
		return nil
	}
}

func replaceMatches(m *machine, x *callExpr, s string, args []string) error {
	if args[0] == "" {
		m.push(StringItem(s))
		return nil
	}
	re, err := m.regex(x, s, args[0], false)
	if err != nil {
		return err
	}
	if len(s)*(len(args[1])+1) > 8*m.prog.limits.Text {
		return m.fail(x.pos, fhir.IDFHIRPathLimit, "a computed text may be longer than allowed", "a shorter text")
	}
	return m.answerText(len(m.stack), re.ReplaceAllString(s, template(re, args[1])), x.pos)
}

// template writes a substitution in the form of package regexp. $ and digits are the group of the longest number among them that there is, so
// that letters and digits may follow; ${name}, ${1} and $name are groups where there are such. Any other $ stands for itself, and so does $$.
func template(re *regexp.Regexp, s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		s = s[i+1:]
		if strings.HasPrefix(s, "$") {
			b.WriteString("$$")
			s = s[1:]
			continue
		}
		group, size := groupOf(re, s)
		if size == 0 {
			b.WriteString("$$")
			continue
		}
		b.WriteString("${" + group + "}")
		s = s[size:]
	}
}

// groupOf returns the group that s, which stands behind a $, begins with, and the length of what names it; 0 where it names none.
func groupOf(re *regexp.Regexp, s string) (group string, size int) {
	named := func(name string) string {
		n, err := strconv.Atoi(name)
		switch {
		case err == nil && n <= re.NumSubexp():
			return strconv.Itoa(n)
		case re.SubexpIndex(name) >= 0:
			return name
		}
		return ""
	}
	if name, ok := strings.CutPrefix(s, "{"); ok {
		if name, _, ok = strings.Cut(name, "}"); ok && isGroup(name) {
			if group = named(name); group != "" {
				size = len(name) + 2
			}
		}
		return group, size
	}
	for size < len(s) && isDigit(s[size]) {
		size++
	}
	if size > 0 {
		const longest = 4 // no pattern has more groups than four digits count
		for size = min(size, longest); size > 0; size-- {
			if group = named(s[:size]); group != "" {
				break
			}
		}
		return group, size
	}
	for size < len(s) && (isLetter(s[size]) || isDigit(s[size])) {
		size++
	}
	if group = named(s[:size]); group == "" {
		size = 0
	}
	return group, size
}

// isGroup reports whether s has the form of a group's number or name.
func isGroup(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isLetter(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	return s != ""
}
