package search

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// Canonicals (https://hl7.org/fhir/R4/references.html#canonical) name a resource by its url, and by its version where they have a bar. What
// follows references follows them too: in two steps, of which the first looks up the resources that can be named, so that the second compares
// the canonicals as they stand with names. Resources that can be named have an entry with url and version under a derived name.

// suffixCanonical ends the name of the entry that holds "url|version" of a resource that canonicals may name; what has no version has
// nothing behind the bar.
const suffixCanonical = ":canonical"

// canonicalName is the parameter of these entries.
const canonicalName = "url" + suffixCanonical

// Nameable reports whether canonicals may name resources of a type: those that have a url and one version, and are found by the url.
func (s *Parameters) Nameable(typ string) bool {
	p, ok := s.Lookup(typ, "url")
	return ok && p.Type == "uri" && nameable(s.registry, typ)
}

func nameable(reg *definition.Registry, typ string) bool {
	t, ok := reg.Resource(typ)
	if !ok {
		return false
	}
	url, version := t.Child("url"), t.Child("version")
	return url != nil && url.Max == 1 && version != nil && version.Max == 1 && len(version.Types) == 1 && version.Types[0].Type.Name == "string"
}

// canonical appends a URI that is a resource's own url, and the name that canonicals have for the resource.
func (x *extraction) canonical(it *fhirpath.Item) {
	x.uri(it)
	url := it.Text()
	if url == "" || strings.IndexByte(url, '|') >= 0 {
		return
	}
	version := it.Node().Parent().Get("version")
	x.put(Entry{Param: canonicalName, URI: url + "|" + version.Text()})
}

// namesByURL reports whether a reference parameter may read canonicals or URIs.
func (p *Parameter) namesByURL() bool {
	e := p.elements()
	return e.unknown || slices.ContainsFunc(e.types, func(t string) bool { return slices.Contains(canonicalTypes, t) })
}

// canonicalTypes are the data types whose values name a resource by its url.
var canonicalTypes = []string{"canonical", "uri", "url", "oid", "uuid"}

// Finder finds rows as the engines do; a storage.Reader is one.
type Finder interface {
	Find(ctx context.Context, q Query) ([]Row, error)
}

// The bounds of what following canonicals may cost. Past them a search is refused.
const (
	maxNamed  = 2_000 // resources that may be named
	namesOnce = 500   // names that one look-up asks for
)

// Canonicals follows canonicals in one view of a store. A canonical with a version names the resources that have its url and version;
// one without a version those that have the url and of all versions stored under it the latest, type by type (CompareVersions). It is not for
// concurrent use. Where the Finder fails, the error is kept in Err as well, because Parse tells issues of its own.
type Canonicals struct {
	ctx    context.Context
	finder Finder
	steps  []Step
	err    error
}

// NewCanonicals returns the Canonicals of what finder finds.
func NewCanonicals(ctx context.Context, finder Finder) *Canonicals {
	return &Canonicals{ctx: ctx, finder: finder}
}

// fail keeps the Finder's first error.
func (c *Canonicals) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// Err returns the first error of the Finder.
func (c *Canonicals) Err() error { return c.err }

// Steps tells what was looked up, for the plan of the search that asked.
func (c *Canonicals) Steps() []Step { return c.steps }

// namedRow is a resource that can be named.
type namedRow struct {
	row          Row
	url, version string
}

// value is what the row sorts by where find was given an order.
func (r *namedRow) value() SortKey { return r.row.Sort[len(r.row.Sort)-1] }

// find returns the rows that satisfy all of where and can be named, with url and version, and what else they sort by; at most limit, 0 for no
// limit.
func (c *Canonicals) find(types []string, where []Expr, limit int, by ...Sort) ([]namedRow, error) {
	q := Query{Types: types, Where: allOf(append(slices.Clone(where), Some{Param: canonicalName})), Sort: append([]Sort{{Param: canonicalName}}, by...), Limit: limit}
	rows, err := c.finder.Find(c.ctx, q)
	if err != nil {
		c.fail(err)
		return nil, err
	}
	out := make([]namedRow, len(rows))
	for i, r := range rows {
		out[i].row = r
		out[i].url, out[i].version, _ = strings.Cut(r.Sort[0].Value, "|")
	}
	return out, nil
}

// isNamed holds where a resource is the one that a canonical names, or one of the same url where it has no version.
func isNamed(canonical string) Expr {
	op := Eq
	if !strings.Contains(canonical, "|") {
		op, canonical = Prefix, canonical+"|"
	}
	return Some{Param: canonicalName, Where: []Comparison{{Field: URI, Op: op, Value: canonical}}}
}

// versions returns all resources of a type that have one of the urls.
func (c *Canonicals) versions(typ string, urls []string) ([]namedRow, error) {
	var all []namedRow
	for chunk := range slices.Chunk(urls, namesOnce) {
		var any Or
		for _, url := range chunk {
			any = append(any, isNamed(url))
		}
		rows, err := c.find([]string{typ}, []Expr{any}, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
	}
	return all, nil
}

// latestOf returns the latest version of each url by type.
func latestOf(rows []namedRow) map[typedURL]string {
	out := make(map[typedURL]string)
	for i := range rows {
		key := rows[i].key()
		if have, ok := out[key]; !ok || CompareVersions(rows[i].version, have) > 0 {
			out[key] = rows[i].version
		}
	}
	return out
}

// typedURL is a url of a resource type.
type typedURL struct{ typ, url string }

func (r *namedRow) key() typedURL { return typedURL{r.row.Key.Type, r.url} }

// named are resources that share their names. value is the least of theirs, the greatest in a descending order.
type named struct {
	names []string
	ids   []string
	value SortKey
}

// all returns the resources of a type that can be named and satisfy where, put together by their names, with their values in the order by, if any.
func (c *Canonicals) all(typ string, where Expr, by ...Sort) ([]named, error) {
	var conditions []Expr
	if where != nil {
		conditions = append(conditions, where)
	}
	rows, err := c.find([]string{typ}, conditions, maxNamed+1, by...)
	if err != nil {
		return nil, err
	}
	if len(rows) > maxNamed {
		return nil, tooCostly("canonicals are followed to at most " + strconv.Itoa(maxNamed) + " resources of a type")
	}
	versions := rows
	if where != nil {
		var urls []string
		for i := range rows {
			if i == 0 || rows[i].url != rows[i-1].url {
				urls = append(urls, rows[i].url)
			}
		}
		if versions, err = c.versions(typ, urls); err != nil {
			return nil, err
		}
	}
	latest := latestOf(versions)
	var out []named
	for i, r := range rows {
		if i > 0 && r.url == rows[i-1].url && r.version == rows[i-1].version {
			last := &out[len(out)-1]
			last.ids = append(last.ids, r.row.Key.ID)
			if k := r.value(); len(by) > 0 && !k.Missing {
				last.value.merge(k.Value, by[0].Desc)
			}
			continue
		}
		n := named{ids: []string{r.row.Key.ID}, value: r.value()}
		if r.version != "" {
			n.names = append(n.names, r.url+"|"+r.version)
		}
		if CompareVersions(r.version, latest[r.key()]) == 0 {
			n.names = append(n.names, r.url)
		}
		out = append(out, n)
	}
	return out, nil
}

// Names returns the canonicals that name the resources of a type that satisfy where.
func (c *Canonicals) Names(typ string, where Expr) ([]string, error) {
	list, err := c.all(typ, where)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, n := range list {
		out = append(out, n.names...)
	}
	c.step(typ, "resources that the canonicals lead to, by url and version", len(list))
	return out, nil
}

// values returns what canonicals that name resources of a type sort by.
func (c *Canonicals) values(typ string, by Sort) (*NamedValues, error) {
	list, err := c.all(typ, nil, by)
	if err != nil {
		return nil, err
	}
	values := make(map[string]string, len(list))
	for _, n := range list {
		for _, name := range n.names {
			if !n.value.Missing {
				values[name] = n.value.Value
			}
		}
	}
	c.step(typ, "resources that the canonicals lead to, with the values of an order", len(list))
	return NewNamedValues(values), nil
}

// Named returns the ids of the resources of type typ that are named by the parameter param of resources of type source that satisfy where.
// It asks whether one of many names occurs, and halves them while that is so.
func (c *Canonicals) Named(typ, source, param string, where Expr) ([]string, error) {
	list, err := c.all(typ, nil)
	if err != nil {
		return nil, err
	}
	c.step(typ, "all resources that canonicals may name", len(list))
	ids, asked := []string{}, 0
	var among func(part []named) error
	among = func(part []named) error {
		var names []condition
		for _, n := range part {
			names = append(names, nameConditions(n.names)...)
		}
		if len(names) == 0 {
			return nil
		}
		asked++
		q := Query{Types: []string{source}, Where: And{where, expr(param, names)}, Limit: 1}
		rows, err := c.finder.Find(c.ctx, q)
		if err != nil {
			c.fail(err)
			return err
		}
		if len(rows) == 0 {
			return nil
		}
		if len(part) == 1 {
			ids = append(ids, part[0].ids...)
			return nil
		}
		if err := among(part[:len(part)/2]); err != nil {
			return err
		}
		return among(part[len(part)/2:])
	}
	for chunk := range slices.Chunk(list, namesOnce) {
		if err := among(chunk); err != nil {
			return nil, err
		}
	}
	c.step(source, "asked "+strconv.Itoa(asked)+" times which of them "+param+" names", len(ids))
	return ids, nil
}

// Resolve returns the resources of the types that each canonical names.
func (c *Canonicals) Resolve(types, canonicals []string) (map[string][]Row, error) {
	out := make(map[string][]Row, len(canonicals))
	for chunk := range slices.Chunk(canonicals, namesOnce) {
		var any Or
		for _, canonical := range chunk {
			any = append(any, isNamed(canonical))
		}
		rows, err := c.find(types, []Expr{any}, 0)
		if err != nil {
			return nil, err
		}
		latest := latestOf(rows)
		for _, canonical := range chunk {
			url, version, exact := strings.Cut(canonical, "|")
			at, _ := slices.BinarySearchFunc(rows, url, func(r namedRow, url string) int { return strings.Compare(r.url+"|", url+"|") })
			for ; at < len(rows) && rows[at].url == url; at++ {
				if exact && rows[at].version == version || !exact && CompareVersions(rows[at].version, latest[rows[at].key()]) == 0 {
					out[canonical] = append(out[canonical], rows[at].row)
				}
			}
		}
	}
	return out, nil
}

func (c *Canonicals) step(typ, detail string, rows int) {
	c.steps = append(c.steps, Step{Kind: "canonical", Index: typ + ": url", Detail: detail, Rows: rows})
}

// nameConditions compares a reference parameter's canonicals with names.
func nameConditions(names []string) []condition {
	out := make([]condition, len(names))
	for i, n := range names {
		out[i].where = []Comparison{{Field: URI, Op: Eq, Value: n}}
	}
	return out
}

// CanonicalIn returns the condition that a canonical of the reference parameter param is one of names; one that never holds without any.
func CanonicalIn(param string, names []string) Expr {
	if len(names) == 0 {
		return Or{}
	}
	return expr(param, nameConditions(names))
}

// CompareVersions orders business versions: R4 leaves their form open, and semantic versions, dates and plain numbers are what people write.
// Runs of digits compare as numbers, all else by bytes. Where one goes on from the other it is the later one, but for a dash and a letter,
// which begin a preview: "1.0-beta", "1.0", "1.0.1", "1.10". None is before all.
func CompareVersions(a, b string) int {
	if a == "" || b == "" {
		return len(a) - len(b)
	}
	for a != "" && b != "" {
		x, y := run(a), run(b)
		if c := compareRuns(x, y); c != 0 {
			if isPreview(a) != isPreview(b) {
				break
			}
			return c
		}
		a, b = a[len(x):], b[len(y):]
	}
	switch {
	case isPreview(a) && !isPreview(b):
		return -1
	case isPreview(b) && !isPreview(a):
		return 1
	}
	return strings.Compare(a, b)
}

// isPreview reports whether the rest of a version begins with a dash and a letter.
func isPreview(rest string) bool { return len(rest) > 1 && rest[0] == '-' && isLetter(rest[1]) }

// run returns the digits, or the bytes that are none, that s begins with.
func run(s string) string {
	n := 1
	for n < len(s) && isDigit(s[n]) == isDigit(s[0]) {
		n++
	}
	return s[:n]
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// compareRuns compares two runs: as numbers where both are digits. Numbers that are equal but for zeros in front are equal.
func compareRuns(a, b string) int {
	if !isDigit(a[0]) || !isDigit(b[0]) {
		return strings.Compare(a, b)
	}
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// NamedBy returns the resource types that canonicals of the reference parameter code of typ may name, in order: target alone where it is not
// ""; none where the parameter reads no canonicals.
func (s *Parameters) NamedBy(typ, code, target string) []string {
	p, ok := s.Lookup(typ, code)
	if !ok || p.Type != "reference" || !p.namesByURL() {
		return nil
	}
	types := []string{target}
	if target == "" {
		if types = p.Targets(); len(types) == 0 {
			types = s.registry.ResourceTypes()
		}
	}
	var out []string
	for _, t := range types {
		if p.PointsTo(t) && s.Nameable(t) {
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}
