package operation

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// Grapher reads what graphs consist of, all at one moment; *interaction.Service is one.
type Grapher interface {
	Walker
	Knower
	Snapshotter
	Owners(rec storage.Record, typ string) ([]fhir.Key, error)
}

// The bounds of one graph.
const (
	maxGraphDepth     = 10
	maxGraphResources = 1000
	maxGraphBytes     = 16 << 20
	maxGraphLookUps   = 5000 // references that are followed, and searches
	maxGraphSteps     = 2_000_000
)

// Graph returns $graph (http://hl7.org/fhir/R4/resource-operation-graph.html): a resource, and those that a stored GraphDefinition leads to from it. The
// result is a searchset: the resource is the match, and what the graph reaches is included. An OperationOutcome in it tells of links with fewer
// resources than the definition demands.
func Graph(s Grapher, reg *definition.Registry) interaction.Operation {
	canonical := canonicalOf(reg, "graph")
	parameters := parametersOf(reg, canonical)
	return interaction.Operation{
		Name:          "graph",
		Definition:    canonical,
		Documentation: "Returns a resource and those that a stored GraphDefinition (graph: its url, or a reference to it) leads to.",
		Instance:      true,
		Get:           true,
		Post:          true,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			args, err := argumentsOf(q, parameters())
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			var g *graph
			err = s.Snapshot(ctx, func(ctx context.Context) (err error) {
				g, err = graphOf(ctx, s, reg, q, args.get("graph").value)
				return err
			})
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			return interaction.OperationResponse{Body: g.bundle()}, nil
		},
	}
}

// graphOf reads the graph that a definition leads to from the resource of a request.
func graphOf(ctx context.Context, s Grapher, reg *definition.Registry, q *interaction.Request, named string) (*graph, error) {
	if key, version, ok := s.Local(q.Base, named); ok {
		named = key.String()
		if version != "" {
			named += "/_history/" + version
		}
	}
	known := s.Knowledge()
	def, found, err := known.Resolve(ctx, fhir.Resource{}, named)
	if err != nil {
		return nil, err
	}
	if !found || def.Type() != "GraphDefinition" {
		return nil, fhir.NewError(fhir.KindNotFound, fhir.IssueNotFound, fhir.IDNotFound, "graph names no GraphDefinition that is stored here")
	}
	root, err := s.Read(ctx, q.Key)
	if err != nil {
		return nil, err
	}
	if start := def.Get("start").Text(); start != q.Key.Type {
		return nil, errGraph("the graph starts at a " + start + ", not at a " + q.Key.Type)
	}
	g := &graph{ctx: ctx, from: s, reg: reg, base: q.Base, known: known, root: root, nodes: map[fhir.Key]*graphNode{}, owners: map[string][]fhir.Key{}, programs: map[string]*fhirpath.Program{}}
	start, _, err := g.add(root)
	if err != nil {
		return nil, err
	}
	return g, g.links(def.Get("link"), start, 1)
}

// errGraph refuses a GraphDefinition.
func errGraph(text string) error {
	return fhir.NewError(fhir.KindUnprocessable, fhir.IssueBusinessRule, fhir.IDGraphDefinition, text)
}

// graph is one call of $graph.
type graph struct {
	ctx   context.Context
	from  Grapher
	reg   *definition.Registry
	base  string
	known *interaction.Knowledge
	root  storage.Record

	nodes    map[fhir.Key]*graphNode
	order    []*graphNode
	bytes    int
	lookUps  int
	spent    int
	owners   map[string][]fhir.Key // of root, by compartment
	programs map[string]*fhirpath.Program
	issues   []fhir.Issue
}

// graphNode is a resource in a graph.
type graphNode struct {
	rec      storage.Record
	resource fhir.Resource
	followed map[int]bool // the lists of links, by where they are in the definition
}

// add adds a resource, which may be there already.
func (g *graph) add(rec storage.Record) (n *graphNode, added bool, err error) {
	if n = g.nodes[rec.Key]; n != nil {
		return n, false, nil
	}
	g.bytes += len(rec.Body)
	if len(g.order) == maxGraphResources || g.bytes > maxGraphBytes {
		return nil, false, fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDOperationCost,
			fmt.Sprintf("the graph has more than %d resources or %d bytes", maxGraphResources, maxGraphBytes))
	}
	r, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil {
		return nil, false, err
	}
	n = &graphNode{rec: rec, resource: r, followed: map[int]bool{}}
	g.nodes[rec.Key] = n
	g.order = append(g.order, n)
	return n, true, nil
}

// look counts one look-up.
func (g *graph) look() error {
	if g.lookUps++; g.lookUps > maxGraphLookUps {
		return fhir.NewError(fhir.KindInvalid, fhir.IssueTooCostly, fhir.IDOperationCost, fmt.Sprintf("the graph follows more than %d references and searches", maxGraphLookUps))
	}
	return nil
}

// links follows the links of a definition from a resource, once.
func (g *graph) links(list fhir.Node, from *graphNode, depth int) error {
	if list.Len() == 0 || from.followed[list.Index()] {
		return nil
	}
	from.followed[list.Index()] = true
	if depth > maxGraphDepth {
		return errGraph(fmt.Sprintf("links are nested at most %d levels deep", maxGraphDepth))
	}
	for link := range list.Children() {
		if err := g.link(link, from, depth); err != nil {
			return err
		}
	}
	return nil
}

// link follows one link to all of its targets.
func (g *graph) link(link fhir.Node, from *graphNode, depth int) error {
	if link.Get("sliceName").Valid() {
		return errGraph("links by sliceName are not followed; give a path")
	}
	most := maxGraphResources
	if text := link.Get("max").Text(); text != "" && text != "*" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return errGraph("max of a link is a number, or *")
		}
		most = n
	}
	var along []fhir.Key // what the path leads to
	if path := link.Get("path").Text(); path != "" {
		var err error
		if along, err = g.references(path, from); err != nil {
			return err
		}
	}
	reached := 0
	for target := range link.Get("target").Children() {
		if target.Get("profile").Valid() {
			return errGraph("a target's profile is not looked at; give its type")
		}
		visit := func(rec storage.Record) (bool, error) {
			if reached >= most {
				return false, nil
			}
			passes, err := g.passes(target, rec)
			if err != nil || !passes {
				return err == nil, err
			}
			reached++
			n, _, err := g.add(rec)
			if err == nil {
				err = g.links(target.Get("link"), n, depth+1)
			}
			return err == nil, err
		}
		var err error
		if params := target.Get("params").Text(); params != "" {
			err = g.search(target.Get("type").Text(), params, from, visit)
		} else {
			err = g.follow(target.Get("type").Text(), along, visit)
		}
		if err != nil {
			return err
		}
	}
	if least, err := strconv.Atoi(link.Get("min").Text()); err == nil && reached < least {
		g.issues = append(g.issues, fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueIncomplete, ID: fhir.IDGraphIncomplete,
			Text: fmt.Sprintf("a link of the graph leads to %d resources and should lead to %d at least", reached, least), Expression: link.Path()})
	}
	return nil
}

// references returns what the path of a link leads to from a resource: literal references to this server, and resources.
func (g *graph) references(path string, from *graphNode) (keys []fhir.Key, err error) {
	typ := from.rec.Key.Type
	program := g.programs[typ+" "+path]
	if program == nil {
		program, err = fhirpath.Compile(path, fhirpath.WithRegistry(g.reg), fhirpath.WithType(typ), fhirpath.WithLimits(fhirpath.Limits{Steps: maxGraphSteps}))
		if err != nil {
			return nil, err
		}
		g.programs[typ+" "+path] = program
	}
	items, err := program.Eval(fhirpath.ResourceItem(g.reg, from.resource), &fhirpath.Env{Context: g.ctx, Resolver: g.known, Spent: &g.spent})
	if err != nil {
		return nil, err
	}
	for i := range items {
		n := items[i].Node()
		if r, err := fhir.AsResource(n); err == nil {
			keys = append(keys, r.Key())
			continue
		}
		text := n.Text()
		if ref := n.Get("reference"); ref.Valid() {
			text = ref.Text()
		}
		if key, _, ok := g.from.Local(g.base, text); ok {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// follow reads the resources of a type that references lead to. Those that are not there are left out.
func (g *graph) follow(typ string, along []fhir.Key, visit func(storage.Record) (bool, error)) error {
	for _, key := range along {
		if typ != "" && typ != "Resource" && key.Type != typ {
			continue
		}
		var rec storage.Record
		if n := g.nodes[key]; n != nil {
			rec = n.rec
		} else {
			if err := g.look(); err != nil {
				return err
			}
			var err error
			rec, err = g.from.Read(g.ctx, key)
			if isGone(err) {
				continue
			}
			if err != nil {
				return err
			}
		}
		if more, err := visit(rec); err != nil || !more {
			return err
		}
	}
	return nil
}

// search finds the resources of a type whose parameters refer to a resource: {ref} stands for it.
func (g *graph) search(typ, params string, from *graphNode, visit func(storage.Record) (bool, error)) error {
	if err := g.look(); err != nil {
		return err
	}
	if _, ok := g.reg.Resource(typ); !ok {
		return errGraph("a target with params has a resource type")
	}
	pairs, err := search.ReadQuery(strings.ReplaceAll(params, "{ref}", from.rec.Key.String()))
	if err != nil {
		return err
	}
	if !strings.Contains(params, "{ref}") {
		return errGraph("params of a target refer to its source by {ref}")
	}
	var found []storage.Record
	err = g.from.Walk(g.ctx, interaction.Walk{Types: []string{typ}, Parameters: pairs}, func(rec storage.Record) (bool, error) {
		found = append(found, rec)
		return len(found) <= maxGraphResources, nil
	})
	if err != nil {
		return err
	}
	for _, rec := range found {
		if more, err := visit(rec); err != nil || !more {
			return err
		}
	}
	return nil
}

// passes applies a target's rules on compartments. A resource that breaks a condition is left out; of one that breaks a requirement the response tells.
func (g *graph) passes(target fhir.Node, rec storage.Record) (bool, error) {
	for rule := range target.Get("compartment").Children() {
		code := rule.Get("code").Text()
		own, known := g.owners[code]
		if !known {
			var err error
			if own, err = g.from.Owners(g.root, code); err != nil {
				return false, err
			}
			g.owners[code] = own
		}
		of, err := g.from.Owners(rec, code)
		if err != nil {
			return false, err
		}
		holds := false
		switch rule.Get("rule").Text() {
		case "identical":
			holds = len(own) > 0 && slices.Equal(own, of)
		case "different":
			holds = !slices.ContainsFunc(of, func(k fhir.Key) bool { return slices.Contains(own, k) })
		default:
			return false, errGraph("rules on compartments are identical or different")
		}
		if holds {
			continue
		}
		if rule.Get("use").Text() == "requirement" {
			g.issues = append(g.issues, fhir.Issue{Severity: fhir.SeverityWarning, Code: fhir.IssueBusinessRule, ID: fhir.IDGraphIncomplete,
				Text: "a resource is left out that is in other " + code + " compartments than the graph requires", Expression: rule.Path()})
		}
		return false, nil
	}
	return true, nil
}

// bundle writes the response.
func (g *graph) bundle() []byte {
	w := &fhir.JSONWriter{Bytes: make([]byte, 0, g.bytes+200*len(g.order)+1024)}
	w.Open('{')
	w.String("resourceType", "Bundle")
	w.String("type", "searchset")
	w.Int("total", 1)
	w.Name("entry")
	w.Open('[')
	for i, n := range g.order {
		w.Open('{')
		w.String("fullUrl", g.base+"/"+n.rec.Key.String())
		w.Name("resource")
		w.Bytes = append(w.Bytes, n.rec.Body...)
		mode := "include"
		if i == 0 {
			mode = "match"
		}
		w.Name("search")
		w.Open('{')
		w.String("mode", mode)
		w.Close('}')
		w.Close('}')
	}
	if len(g.issues) > 0 {
		w.Bytes = append(fhir.AppendSeparator(w.Bytes), `{"resource":`...)
		w.Bytes = append(fhir.AppendOutcome(w.Bytes, g.issues), `,"search":{"mode":"outcome"}}`...)
	}
	w.Close(']')
	w.Close('}')
	return w.Bytes
}
