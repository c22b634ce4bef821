package mongodb

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirgate/fhirgate/fhir/search"
)

// A search for one of many texts anywhere in a value (:contains=a,b,c) is one pattern, which the server tries once on each string. One condition for
// each text would be tried one after the other.

// texts are the texts searched for anywhere in one field of the entries of a parameter.
type texts struct {
	param  string
	field  search.Field
	values []string
}

// textsOf takes the alternatives out of a list that ask for texts which fit in patterns, by parameter and field.
func textsOf(list search.Or) (found []texts, rest search.Or) {
	for _, c := range list {
		s, ok := c.(search.Some)
		if !ok || len(s.Where) != 1 || s.Where[0].Op != search.Contains || s.Where[0].Part != 0 ||
			s.Where[0].Value == "" || len(s.Where[0].Value) > maxPattern || !utf8.ValidString(s.Where[0].Value) {
			rest = append(rest, c)
			continue
		}
		i := slices.IndexFunc(found, func(t texts) bool { return t.param == s.Param && t.field == s.Where[0].Field })
		if i < 0 {
			i = len(found)
			found = append(found, texts{param: s.Param, field: s.Where[0].Field})
		}
		found[i].values = append(found[i].values, s.Where[0].Value)
	}
	return found, rest
}

// filters returns the filters of which one holds where an entry has one of the texts.
func (t texts) filters() (out bson.A) {
	name := fieldNames[t.field]
	for _, pattern := range patterns(t.values) {
		has := bson.A{bson.D{{Key: name, Value: bson.Regex{Pattern: pattern}}}}
		out = append(out,
			elemMatch(pathRanges, bson.D{{Key: memberParam, Value: string(appendPart(nil, t.param))}}, has),
			elemMatch(pathEntries, bson.D{{Key: memberParam, Value: t.param}}, has))
	}
	return out
}

const (
	// maxNested is how deep the groups of a pattern are nested, of which the server takes some hundred.
	maxNested = 40
	// maxAlternatives is about how many bytes of texts one pattern has; the server takes patterns of 32 KB.
	maxAlternatives = 6 << 10
)

// patterns returns patterns of which one is found in a string where one of values is.
func patterns(values []string) (out []string) {
	values = slices.Clone(values)
	slices.Sort(values)
	values = slices.Compact(values)
	for len(values) > 0 {
		n, size := 0, 0
		for n < len(values) && (n == 0 || size+len(values[n]) <= maxAlternatives) {
			size += len(values[n])
			n++
		}
		var b strings.Builder
		appendPattern(&b, values[:n], 0)
		out = append(out, b.String())
		values = values[n:]
	}
	return out
}

// appendPattern appends a pattern that finds one of sorted values. Those that begin alike share their beginning, so that at hardly any place of a string
// more than a few are tried.
func appendPattern(b *strings.Builder, values []string, depth int) {
	if values[0] == "" { // all others go on behind it
		return
	}
	if len(values) == 1 {
		b.WriteString(quoteRegex(values[0]))
		return
	}
	b.WriteString("(?:")
	for i := 0; i < len(values); {
		if i > 0 {
			b.WriteByte('|')
		}
		_, n := utf8.DecodeRuneInString(values[i])
		j := i + 1
		for j < len(values) && strings.HasPrefix(values[j], values[i][:n]) {
			j++
		}
		if j == i+1 || depth >= maxNested {
			b.WriteString(quoteRegex(values[i]))
			i++
			continue
		}
		head := commonPrefix(values[i], values[j-1])
		rest := make([]string, j-i)
		for k := range rest {
			rest[k] = values[i+k][len(head):]
		}
		b.WriteString(quoteRegex(head))
		appendPattern(b, rest, depth+1)
		i = j
	}
	b.WriteByte(')')
}

// commonPrefix returns the runes that two texts begin with.
func commonPrefix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) {
		_, size := utf8.DecodeRuneInString(a[n:])
		if n+size > len(b) || a[n:n+size] != b[n:n+size] {
			break
		}
		n += size
	}
	return a[:n]
}
