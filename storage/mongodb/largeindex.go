package mongodb

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// Where a resource has very many entries, all those of its heaviest parameters are in further documents: they are spilled. Its own document
// keeps the parameter's place in sort, and has a term of its own, by which it is found: a condition on a spilled parameter is first put to the
// further documents, and becomes "the own document satisfies it, or it is one of these". Where those are many it is told for a batch of
// resources at a time, as chains are.
//
// Which parameters of which types have ever been spilled is in fhirgate_spilled; only conditions on those cost the second look. All gateways
// must know before the first such resource is stored: each reads the list again when what it knows is a second old, and whoever is the first to
// spill a parameter writes it there and waits for three.

// spilledCollection names the parameters that have been spilled: {_id: "Group|member"}.
const spilledCollection = "fhirgate_spilled"

// spilledAge is how old the list of spilled parameters may be when a search begins, spilledTrust when it ends.
const spilledAge, spilledTrust = time.Second, 2 * time.Second

// weight is about how many bytes an entry has.
func weight(e *search.Entry) int {
	n := 32 + len(e.System) + len(e.Code) + len(e.Folded) + len(e.Exact) + len(e.Lo) + len(e.Hi) + len(e.Type) + len(e.ID) + len(e.URI)
	for i := range e.Parts {
		n += weight(&e.Parts[i])
	}
	if e.Inner != nil {
		for i := range e.Inner.Entries {
			n += weight(&e.Inner.Entries[i]) + len(e.Inner.Entries[i].Param)
		}
	}
	return n
}

// heaviest returns the parameters whose entries are not in the own document of a resource of type typ; nil nearly always.
func (l *limits) heaviest(typ string, entries []search.Entry) []string {
	size := 0
	for i := range entries {
		size += weight(&entries[i])
	}
	if len(entries) <= min(200, l.entries) && size <= l.size { // then no compound is large
		return nil
	}
	type load struct{ n, size int }
	loads := map[string]load{}
	for i := range entries {
		of := loads[entries[i].Param]
		of.n++
		of.size += weight(&entries[i])
		loads[entries[i].Param] = of
	}
	var out []string
	n := len(entries)
	spill := func(param string) {
		out = append(out, param)
		n -= loads[param].n
		size -= loads[param].size
		delete(loads, param)
	}
	params := slices.Sorted(maps.Keys(loads))
	for n > l.entries || size > l.size {
		heavy := ""
		for _, p := range params {
			of, ok := loads[p]
			if !ok {
				continue
			}
			h := loads[heavy]
			if heavy == "" || n > l.entries && of.n > h.n || n <= l.entries && of.size > h.size {
				heavy = p
			}
		}
		spill(heavy)
	}
	for _, c := range search.Compounds(typ) {
		params, _ := lead(c)
		for {
			product, most := 1, ""
			for _, p := range params {
				product *= 2 * loads[p].n
				if most == "" || loads[p].n > loads[most].n {
					most = p
				}
			}
			if product <= l.joints {
				break
			}
			spill(most)
		}
	}
	return out
}

// divide returns the entries of a resource that are in its own document and those that are not.
func divide(entries []search.Entry, spilled []string) (own, more []search.Entry) {
	for _, e := range entries {
		if slices.Contains(spilled, e.Param) {
			more = append(more, e)
		} else {
			own = append(own, e)
		}
	}
	return own, more
}

// appendSpilled appends the index of a further document.
func appendSpilled(dst []byte, entries []search.Entry) []byte {
	x := indexers.Get().(*indexer)
	defer x.done()
	x.begin(entries)
	at, dst := bsoncore.AppendDocumentElementStart(dst, fieldIndex)
	for i := range entries {
		x.entry(&entries[i])
	}
	dst = appendStrings(dst, partTerms, distinct(x.terms))
	dst = x.appendRanges(dst)
	dst = x.appendEntries(dst, entries)
	dst, _ = bsoncore.AppendDocumentEnd(dst, at)
	return dst
}

// spills is what this process knows of fhirgate_spilled.
type spills struct {
	mu    sync.Mutex
	known map[string]map[string]time.Time // type -> parameter -> when this process first knew
	read  time.Time                       // when the read was sent that known comes from
	count int
}

// current reads the list where what is known is older than age, and returns when it was read and how many parameters it has: it only grows.
func (l *spills) current(ctx context.Context, s *Store, age time.Duration) (read time.Time, count int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known != nil && time.Since(l.read) < age {
		return l.read, l.count, nil
	}
	at := time.Now()
	cur, err := s.db.Collection(spilledCollection).Find(context.WithoutCancel(ctx), bson.D{})
	if err != nil {
		return at, 0, wrap("spilled", err)
	}
	var docs []struct {
		ID string `bson:"_id"`
	}
	if err := cur.All(context.WithoutCancel(ctx), &docs); err != nil {
		return at, 0, wrap("spilled", err)
	}
	for _, d := range docs {
		if typ, param, ok := strings.Cut(d.ID, "|"); ok {
			l.add(typ, param)
		}
	}
	if l.known == nil {
		l.known = map[string]map[string]time.Time{}
	}
	l.read = at
	return l.read, l.count, nil
}

// add makes a parameter known. It copies what has: readers hold the maps.
func (l *spills) add(typ, param string) {
	if _, ok := l.known[typ][param]; ok {
		return
	}
	params := maps.Clone(l.known[typ])
	if params == nil {
		params = map[string]time.Time{}
	}
	params[param] = time.Now()
	known := maps.Clone(l.known)
	if known == nil {
		known = map[string]map[string]time.Time{}
	}
	known[typ] = params
	l.known = known
	l.count++
}

// of returns the parameters of a type that have been spilled, as far as is known.
func (l *spills) of(typ string) map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[typ]
}

// announce makes every gateway know that parameters of a type are spilled, before they are.
func (l *spills) announce(ctx context.Context, s *Store, typ string, params []string) error {
	if len(params) == 0 {
		return nil
	}
	if err := s.collections.makeFurther(ctx, s, typ); err != nil {
		return err
	}
	if _, _, err := l.current(ctx, s, spilledAge); err != nil {
		return err
	}
	var models []mongo.WriteModel
	for _, p := range params {
		if _, ok := l.of(typ)[p]; !ok {
			id := typ + "|" + p
			models = append(models, mongo.NewReplaceOneModel().SetFilter(bson.D{{Key: fieldID, Value: id}}).SetReplacement(bson.D{}).SetUpsert(true))
		}
	}
	if len(models) > 0 {
		if _, err := s.db.Collection(spilledCollection).BulkWrite(context.WithoutCancel(ctx), models); err != nil {
			return wrap("spilled", err)
		}
		l.mu.Lock()
		for _, p := range params {
			l.add(typ, p)
		}
		l.mu.Unlock()
	}
	var last time.Time
	for _, p := range params {
		if at := l.of(typ)[p]; at.After(last) {
			last = at
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.limits.wait - time.Since(last)):
		return nil
	}
}

// exactly runs a search so that it knows of every parameter that was spilled when it ended.
func (r *reader) exactly(ctx context.Context, search func() error) error {
	read, count, err := r.s.spills.current(ctx, r.s, spilledAge)
	for err == nil {
		if err = search(); err != nil || time.Since(read) < spilledTrust {
			return err
		}
		before := count
		if read, count, err = r.s.spills.current(ctx, r.s, spilledTrust); count == before {
			return err
		}
	}
	return err
}

// spilled is the condition that one of any holds, which are all on one parameter that is spilled by some resources.
type spilled struct {
	search.Expr
	any search.Or
}

// ownParam stands for the term of a resource with further documents, by its id. No parameter has an empty name.
const ownParam = ""

func own(id string) search.Some {
	return search.Some{Param: ownParam, Where: []search.Comparison{{Field: search.Code, Op: search.Eq, Value: id}}}
}

// spillable returns e as alternatives on one parameter that is spilled by some resources of a type; nil where it is anything else.
func (r *reader) spillable(typ string, e search.Expr) search.Or {
	params := r.s.spills.of(typ)
	if len(params) == 0 {
		return nil
	}
	list, ok := e.(search.Or)
	if !ok {
		list = search.Or{e}
	}
	for _, alt := range list {
		s, ok := alt.(search.Some)
		if !ok || len(s.Where) == 0 || s.Param != list[0].(search.Some).Param { // a parameter without a condition is in sort
			return nil
		}
		if _, ok := params[s.Param]; !ok {
			return nil
		}
	}
	return list
}

// spillsIn reports whether e holds a condition on a parameter that is spilled by some resources of a type.
func (r *reader) spillsIn(typ string, e search.Expr) bool {
	if len(r.s.spills.of(typ)) == 0 {
		return false
	}
	in := func(e search.Expr) bool { return r.spillsIn(typ, e) }
	switch e := e.(type) {
	case search.And:
		return slices.ContainsFunc(e, in)
	case search.Or:
		return slices.ContainsFunc(e, in)
	case search.Not:
		return in(e.Expr)
	case search.Some:
		return r.spillable(typ, e) != nil
	}
	return false
}

// resolveSpilled puts a condition to the further documents.
func (r *reader) resolveSpilled(ctx context.Context, typ string, any search.Or, far int) (search.Expr, bool, error) {
	few := r.s.limits.far * far
	ids, err := r.owners(ctx, typ, any, nil, few+1)
	switch {
	case err != nil:
		return nil, false, err
	case len(ids) > few:
		return spilled{any: any}, true, nil
	case len(ids) == 0 && len(any) == 1:
		return any[0], false, nil
	}
	out := slices.Clone(any)
	for _, id := range ids {
		out = append(out, own(id))
	}
	return out, false, nil
}

// owners returns the ids of the resources with a further document that satisfies one of any, at most limit; where ids are given, only those
// of them.
func (r *reader) owners(ctx context.Context, typ string, any search.Or, ids []string, limit int) ([]string, error) {
	match := bson.A{filter(any)}
	if ids != nil {
		match = append(match, bson.D{{Key: fieldOf, Value: bson.D{{Key: "$in", Value: ids}}}})
	}
	pipeline := bson.A{
		bson.D{{Key: "$match", Value: and(match)}},
		bson.D{{Key: "$group", Value: bson.D{{Key: fieldID, Value: "$" + fieldOf}}}},
		bson.D{{Key: "$limit", Value: limit}},
	}
	var out []string
	err := r.readFurther(ctx, typ, func(ctx context.Context) error {
		out = out[:0]
		cur, err := r.s.further(typ).Aggregate(ctx, pipeline)
		if err != nil {
			return err
		}
		for cur.Next(ctx) {
			id, _ := cur.Current.Lookup(fieldID).StringValueOK()
			out = append(out, id)
		}
		return errors.Join(cur.Err(), cur.Close(ctx))
	})
	if r.told != nil {
		r.told.steps = append(r.told.steps, search.Step{Kind: "chain", Index: typ + ": " + conditionName(any),
			Detail: "resources whose entries stand in further documents", Rows: len(out)})
		r.told.examined += len(out)
	}
	slices.Sort(out)
	return out, err
}

// readFurther runs a search of further documents. In a moment before their collection was made there are none.
func (r *reader) readFurther(ctx context.Context, typ string, f func(context.Context) error) error {
	err := r.read(ctx, typ, "find", func(ctx context.Context) error {
		err := f(ctx)
		if code(err, codeSnapshotUnavailable) && r.started && (r.tx == nil || !r.tx.transaction) {
			return nil
		}
		return err
	})
	return err
}

// spilledReferences adds to out the references of further documents, as references does.
func (r *reader) spilledReferences(ctx context.Context, typ string, ids []string, param string, wanted bson.D, head string, out map[string][]string) error {
	if _, ok := r.s.spills.of(typ)[param]; !ok {
		return nil
	}
	return r.readFurther(ctx, typ, func(ctx context.Context) error {
		cur, err := r.s.further(typ).Find(ctx, bson.D{{Key: fieldOf, Value: bson.D{{Key: "$in", Value: ids}}}},
			options.Find().SetHint(fieldOf).SetProjection(bson.D{{Key: fieldOf, Value: 1}, {Key: "to", Value: wanted}}))
		if err != nil {
			return err
		}
		for cur.Next(ctx) {
			id, _ := cur.Current.Lookup(fieldOf).StringValueOK()
			if err := addReferences(cur.Current, head, id, out); err != nil {
				cur.Close(ctx)
				return err
			}
		}
		return errors.Join(cur.Err(), cur.Close(ctx))
	})
}

// addReferences adds the references that a find projected.
func addReferences(raw bson.Raw, head, id string, out map[string][]string) error {
	to, _ := raw.Lookup("to").ArrayOK()
	values, err := to.Values()
	for _, v := range values {
		s, _ := v.StringValueOK()
		if t := strings.TrimPrefix(s, head); t != "" && !slices.Contains(out[id][max(0, len(out[id])-1):], t) {
			out[id] = append(out[id], t)
		}
	}
	return err
}

// prepare makes what a record needs before it can be sent: the collections of its type, and for a large one that of further documents.
func (s *Store) prepare(ctx context.Context, key fhir.Key, body int, entries []search.Entry) error {
	if !s.importing.Load() {
		if err := s.collections.ensure(ctx, s, key.Type); err != nil {
			return err
		}
	}
	if body > s.limits.body/16 { // no JSON becomes sixteen times as large as BSON
		if err := s.collections.makeFurther(ctx, s, key.Type); err != nil {
			return err
		}
	}
	return s.spills.announce(ctx, s, key.Type, s.limits.heaviest(key.Type, entries))
}
