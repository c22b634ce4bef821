package mongodb

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A pattern finds what one of its texts is found in, and nothing else.
func FuzzPatterns(f *testing.F) {
	f.Add("a\nab\nabc", "xaby")
	f.Add("smith\nsmythe\nsmit\nschmidt", "blacksmith")
	f.Add("mül\nmüß\n.*\n(", "a müßig (")
	f.Add("b\nab\naab\naaab\naaaab", "aaac")
	f.Add("\\\n|\nx|y", "x\\y")
	f.Fuzz(func(t *testing.T, lines, in string) {
		values := slices.DeleteFunc(strings.Split(strings.ToValidUTF8(lines, "?"), "\n"), func(v string) bool { return v == "" })
		in = strings.ToValidUTF8(in, "?")
		found := false
		for _, p := range patterns(values) {
			re, err := regexp.Compile(p)
			if err != nil {
				t.Fatalf("%q: %v", p, err)
			}
			found = found || re.MatchString(in)
		}
		if want := slices.ContainsFunc(values, func(v string) bool { return strings.Contains(in, v) }); found != want {
			t.Errorf("%q in %q: %v, not %v", values, in, found, want)
		}
	})
}

func TestPatternsAreNoDeeperThanTheServerTakes(t *testing.T) {
	var values []string
	for i := range 300 {
		values = append(values, strings.Repeat("a", i)+"b")
	}
	depth, most := 0, 0
	for _, p := range patterns(values) {
		for _, c := range p {
			switch c {
			case '(':
				depth++
			case ')':
				depth--
			}
			most = max(most, depth)
		}
		if len(p) > 32<<10 {
			t.Errorf("a pattern of %d bytes", len(p))
		}
	}
	if most > maxNested+1 {
		t.Errorf("%d groups are nested", most)
	}
}
