package fhirpath

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
)

// pushResource pushes %resource or %rootResource: what the Env gives, or what is found around the focus.
func (m *machine) pushResource(given Item, root bool) error {
	if given.node.Valid() {
		m.push(given)
		return nil
	}
	n := m.focus.node
	if !n.Valid() {
		n = m.focus.sib
	}
	r := enclosing(n)
	if root {
		r = container(r)
	}
	if r.Valid() {
		m.push(resourceItem(m.prog.reg, r))
	}
	return nil
}

// enclosing returns the nearest resource that n is or stands in.
func enclosing(n fhir.Node) fhir.Node {
	for n.Valid() && !n.Get("resourceType").Valid() {
		n = n.Parent()
	}
	return n
}

// container returns the resource that contains r, and r itself where it is not contained. An entry of a Bundle is not contained.
func container(r fhir.Node) fhir.Node {
	p := r.Parent()
	if p.Kind() == fhir.Array && p.Name() == "contained" {
		return enclosing(p.Parent())
	}
	return r
}

// reference returns the text by which an item points to a resource: Reference.reference, or a canonical, uri or url itself.
func reference(it *Item) string {
	if it.box == nil && it.node.Kind() == fhir.Object {
		return it.node.Get("reference").Text()
	}
	return it.Text()
}

// contained returns the resource that "#id" points to from n; "#" is the container.
func containedIn(n fhir.Node, ref string) fhir.Node {
	root := container(enclosing(n))
	if ref == "#" {
		return root
	}
	for c := range root.Get("contained").Children() {
		if c.Get("id").Text() == ref[1:] {
			return c
		}
	}
	return fhir.Node{}
}

// referredType returns the name of the type that an item points to, as the reference itself says; "" where it does not.
func referredType(it *Item) string {
	if it.box == nil && it.node.Kind() == fhir.Object {
		if t := it.node.Get("type").Text(); t != "" {
			return t[strings.LastIndexByte(t, '/')+1:]
		}
	}
	ref := reference(it)
	if strings.HasPrefix(ref, "#") {
		return containedIn(it.node, ref).Get("resourceType").Text()
	}
	return literalType(ref)
}

// literalType returns the type that a literal reference names: "Patient" for "Patient/1", "http://x/fhir/Patient/1/_history/2".
func literalType(ref string) string {
	if i := strings.IndexAny(ref, "?#|"); i >= 0 {
		ref = ref[:i]
	}
	if i := strings.Index(ref, "/_history/"); i >= 0 {
		ref = ref[:i]
	}
	i := strings.LastIndexByte(ref, '/')
	if i <= 0 || !fhir.ValidID(ref[i+1:]) {
		return ""
	}
	ref = ref[:i]
	t := ref[strings.LastIndexByte(ref, '/')+1:]
	if !fhir.ValidTypeName(t) {
		return ""
	}
	return t
}

// refersExpr is "resolve() is T" decided by the reference itself (see ForSearch).
type refersExpr struct {
	in  expr
	typ *definition.Type
	pos int
}

func (x *refersExpr) eval(m *machine) error {
	base := len(m.stack)
	if err := x.in.eval(m); err != nil {
		return err
	}
	if err := m.step(1, x.pos); err != nil {
		return err
	}
	it, ok, err := m.single(base, x.pos)
	m.cut(base)
	if err != nil || !ok {
		return err
	}
	m.push(BooleanItem(x.refers(m, &it)))
	return nil
}

func (x *refersExpr) refers(m *machine, it *Item) bool {
	name := referredType(it)
	if name == x.typ.Name {
		return true
	}
	t, ok := m.prog.reg.Resource(name)
	return ok && t.Is(x.typ.Name)
}

// planResolveIs compiles "resolve() is T" and "x.resolve() is T" for ForSearch; ok is false where it is something else.
func (c *compiler) planResolveIs(in *ast, op string, t typeTest) (expr, static, bool, error) {
	if !c.opts.search || op != "is" || t.fhir == nil || in == nil || in.kind != astCall || in.text != "resolve" || len(in.args) > 0 {
		return nil, static{}, false, nil
	}
	x := &refersExpr{in: thisExpr{}, typ: t.fhir, pos: in.pos}
	if in.in != nil {
		var err error
		if x.in, _, err = c.expr(in.in); err != nil {
			return nil, static{}, false, err
		}
	}
	return x, system(Boolean), true, nil
}

// resolved is the result rule of resolve().
func resolved(_ *compiler, in static, _ []static) static { return static{any: true, many: in.many} }

// runResolve yields the resources that references point to; one that is not found yields nothing. Contained resources, and those of the same
// Bundle by their fullUrl, are found without a Resolver.
func runResolve(m *machine, x *callExpr, base int) error {
	mid := len(m.stack)
	for i := base; i < mid; i++ {
		it := m.stack[i]
		ref := reference(&it)
		if ref == "" {
			continue
		}
		if err := m.step(1, x.pos); err != nil {
			return err
		}
		place := m.place(&it)
		if strings.HasPrefix(ref, "#") {
			if n := containedIn(place, ref); n.Valid() {
				m.push(resourceItem(m.prog.reg, n))
			}
			continue
		}
		n, err := m.entryOf(place, ref, it.node.Kind() != fhir.Object, x.pos)
		if err != nil {
			return err
		}
		if n.Valid() {
			m.push(resourceItem(m.prog.reg, n))
			continue
		}
		if m.env.Resolver == nil {
			return m.fail(x.pos, fhir.IDFHIRPathUnsupported, "resolve() needs a store", "an environment with a resolver, or a contained reference")
		}
		from, _ := fhir.AsResource(enclosing(place))
		r, ok, err := m.env.Resolver.Resolve(m.context(), from, ref)
		if err != nil {
			return m.failed(err)
		}
		if ok {
			m.push(ResourceItem(m.prog.reg, r))
		}
	}
	m.keep(base, mid)
	return nil
}

// place returns where in a resource the reference that it is was made: a text that was computed is one of %context, or else of %resource.
func (m *machine) place(it *Item) fhir.Node {
	switch {
	case it.node.Valid():
		return it.node
	case m.focus.node.Valid():
		return m.focus.node
	case m.focus.sib.Valid():
		return m.focus.sib
	}
	return m.env.Resource.node
}

// bundleAround returns the array of entries of the Bundle that n stands in, and the fullUrl of the entry, "" for what is in none of them.
func bundleAround(n fhir.Node) (list fhir.Node, fullURL string) {
	r := container(enclosing(n))
	entry := r.Parent()
	if list := entry.Parent(); r.Name() == "resource" && list.Name() == "entry" && list.Kind() == fhir.Array {
		return list, entry.Get("fullUrl").Text()
	}
	return r.Get("entry"), "" // what is no Bundle has no entries with a fullUrl or a resource
}

// entryOf finds ref among the entries of the Bundle that n stands in: by fullUrl, whose resource must be of the version that ref names, and
// where ref may be a canonical by the resource's url and version (R4 bundle.html, Resolving references in Bundles).
func (m *machine) entryOf(n fhir.Node, ref string, canonical bool, pos int) (fhir.Node, error) {
	list, base := bundleAround(n)
	full, version, versioned := strings.Cut(ref, "/_history/")
	if !strings.Contains(ref, ":") {
		// A relative reference is read against the base of the entry's own fullUrl.
		i := strings.LastIndexByte(base, '/')
		if i = strings.LastIndexByte(base[:max(i, 0)], '/'); i <= 0 {
			return fhir.Node{}, nil
		}
		full, canonical = base[:i+1]+full, false
	}
	url, edition, _ := strings.Cut(ref, "|")
	for e := range list.Children() {
		if err := m.step(1, pos); err != nil {
			return fhir.Node{}, err
		}
		r := e.Get("resource")
		switch {
		case e.Get("fullUrl").Text() == full && (!versioned || r.Get("meta").Get("versionId").Text() == version):
			if r.Valid() {
				return r, nil
			}
		case canonical && url != "" && r.Get("url").Text() == url && (edition == "" || r.Get("version").Text() == edition):
			return r, nil
		}
	}
	return fhir.Node{}, nil
}
