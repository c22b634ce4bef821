package mongodb

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

// A condition on what a resource holds (search.Within) is told as a chain is: what its container's own terms leave is read, a batch at a time, and
// decided here. Nearly no resource holds another, which one look into the terms of a type shows.

// memberInner is the member of an entry that has the entries of a held resource, each with its parameter.
const memberInner = "n"

// appendInner appends the entries of a held resource.
func appendInner(dst []byte, inner []search.Entry) []byte {
	at, dst := bsoncore.AppendArrayElementStart(dst, memberInner)
	for i := range inner {
		k, d := bsoncore.AppendDocumentElementStart(dst, strconv.Itoa(i))
		d = bsoncore.AppendStringElement(d, memberParam, inner[i].Param)
		d = appendWhole(d, &inner[i])
		dst, _ = bsoncore.AppendDocumentEnd(d, k)
	}
	dst, _ = bsoncore.AppendArrayEnd(dst, at)
	return dst
}

// appendWhole appends all that an entry says but its parameter.
func appendWhole(dst []byte, e *search.Entry) []byte {
	dst = appendFields(dst, e, true)
	for i := range e.Parts {
		p, d := bsoncore.AppendDocumentElementStart(dst, strconv.Itoa(i+1))
		d = appendFields(d, &e.Parts[i], true)
		dst, _ = bsoncore.AppendDocumentEnd(d, p)
	}
	if e.Inner != nil {
		dst = appendInner(dst, e.Inner.Entries)
	}
	return dst
}

// readEntries reads what appendEntries or appendInner wrote.
func readEntries(array bson.RawArray) ([]search.Entry, error) {
	values, err := array.Values()
	if err != nil {
		return nil, err
	}
	out := make([]search.Entry, 0, len(values))
	for _, v := range values {
		d, ok := v.DocumentOK()
		if !ok {
			continue
		}
		e, err := readEntry(d)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func readEntry(d bson.Raw) (e search.Entry, err error) {
	elements, err := d.Elements()
	if err != nil {
		return e, err
	}
	for _, m := range elements {
		text, _ := m.Value().StringValueOK()
		switch m.Key() {
		case memberParam:
			e.Param = text
		case memberSystem:
			e.System = text
		case memberCode:
			e.Code = text
		case memberFolded:
			e.Folded = text
		case memberExact:
			e.Exact = text
		case memberLo:
			e.Lo = text
		case memberHi:
			e.Hi = text
		case memberType:
			e.Type = text
		case memberID:
			e.ID = text
		case memberURI:
			e.URI = text
		case memberInner:
			list, _ := m.Value().ArrayOK()
			inner, err := readEntries(list)
			if err != nil {
				return e, err
			}
			e.Inner = &search.Inner{Entries: inner}
		default: // a part: they are in order
			if part, ok := m.Value().DocumentOK(); ok {
				p, err := readEntry(part)
				if err != nil {
					return e, err
				}
				e.Parts = append(e.Parts, p)
			}
		}
	}
	return e, nil
}

// resolveWithin makes a condition on ids of one on what resources hold, where few may satisfy it.
func (r *reader) resolveWithin(ctx context.Context, typ string, e search.Within, far int) (out search.Expr, chained bool, err error) {
	if some, err := r.holdsAny(ctx, typ, e.Holder()); err != nil || !some {
		return search.Or{}, false, err
	}
	few := r.s.limits.far * far
	rows, err := r.findType(ctx, typ, e.Needed(), nil, nil, false, few+1)
	if err != nil {
		return nil, false, err
	}
	if len(rows) <= few {
		out, err := r.tellWithin(ctx, typ, idsOf(rows), e)
		return out, false, err
	}
	needed, _, err := r.resolveExpr(ctx, typ, e.Needed(), far)
	return search.And{needed, e}, true, err
}

// holdsAny reports whether a resource of a type may have entries about what it holds whose names begin as holder does.
func (r *reader) holdsAny(ctx context.Context, typ, holder string) (bool, error) {
	mark := holder[:1]
	if some, ok := r.holders[typ+mark]; ok && r.tx == nil {
		return some, nil
	}
	some := false
	for param := range r.s.spills.of(typ) {
		some = some || strings.HasPrefix(param, mark)
	}
	if !some {
		f := bson.D{{Key: pathTerms, Value: bson.D{{Key: "$elemMatch", Value: startsWith(mark)}}}}
		opts := options.Find().SetProjection(bson.D{{Key: fieldID, Value: 1}}).SetLimit(1)
		if err := r.query(ctx, typ, f, indexTerms, opts, func(bson.Raw) error { some = true; return nil }); err != nil {
			return false, err
		}
	}
	if r.holders == nil {
		r.holders = map[string]bool{}
	}
	r.holders[typ+mark] = some
	return some, nil
}

// tellWithin returns the ids of a batch for which a condition on what they hold is true.
func (r *reader) tellWithin(ctx context.Context, typ string, ids []string, e search.Within) (search.Expr, error) {
	out := search.KeyIn{IDs: []string{}}
	for chunk := range slices.Chunk(ids, loadChunk) {
		held, err := r.held(ctx, typ, chunk, append(holders(e, nil), e.References()))
		if err != nil {
			return nil, err
		}
		var inner [][]search.Entry
		for _, entries := range held {
			inner = appendLists(inner, entries)
		}
		settled := e
		if settled.Where, err = r.settleInner(ctx, e.Where, inner); err != nil {
			return nil, err
		}
		for id, entries := range held {
			if search.Match(settled, fhir.Key{Type: typ, ID: id}, entries, nil) {
				out.IDs = append(out.IDs, id)
			}
		}
	}
	slices.Sort(out.IDs)
	if r.told != nil {
		r.told.steps = append(r.told.steps, search.Step{Kind: "chain", Index: typ + ": " + conditionName(e), Detail: "containers whose contained resources were looked at", Rows: len(ids)})
	}
	return out, nil
}

// holders appends the names of the entries that hold what a condition asks for inside of one container.
func holders(e search.Expr, out []string) []string {
	switch e := e.(type) {
	case search.And:
		for _, c := range e {
			out = holders(c, out)
		}
	case search.Or:
		for _, c := range e {
			out = holders(c, out)
		}
	case search.Not:
		out = holders(e.Expr, out)
	case search.Within:
		out = holders(e.Where, append(out, e.Holder()))
	}
	return out
}

// held returns the entries of the named parameters, which are no ranges, of a batch of resources.
func (r *reader) held(ctx context.Context, typ string, ids, params []string) (map[string][]search.Entry, error) {
	out := make(map[string][]search.Entry, len(ids))
	wanted := bson.D{{Key: "$filter", Value: bson.D{{Key: "input", Value: "$" + pathEntries},
		{Key: "cond", Value: bson.D{{Key: "$in", Value: bson.A{"$$this." + memberParam, bson.D{{Key: "$literal", Value: params}}}}}}}}}
	add := func(raw bson.Raw, of string) error {
		id, _ := raw.Lookup(of).StringValueOK()
		list, _ := raw.Lookup("held").ArrayOK()
		entries, err := readEntries(list)
		out[id] = append(out[id], entries...)
		return err
	}
	projection := bson.D{{Key: "held", Value: wanted}}
	err := r.query(ctx, typ, bson.D{{Key: fieldID, Value: bson.D{{Key: "$in", Value: ids}}}}, nil, options.Find().SetProjection(projection),
		func(raw bson.Raw) error { return add(raw, fieldID) })
	if err != nil || len(r.s.spills.of(typ)) == 0 {
		return out, err
	}
	err = r.readFurther(ctx, typ, func(ctx context.Context) error {
		cur, err := r.s.further(typ).Find(ctx, bson.D{{Key: fieldOf, Value: bson.D{{Key: "$in", Value: ids}}}},
			options.Find().SetHint(fieldOf).SetProjection(append(projection, bson.E{Key: fieldOf, Value: 1})))
		if err != nil {
			return err
		}
		for cur.Next(ctx) {
			if err := add(cur.Current, fieldOf); err != nil {
				cur.Close(ctx)
				return err
			}
		}
		return cur.Err()
	})
	return out, err
}

// appendLists appends the entries of what entries hold, at any depth.
func appendLists(dst [][]search.Entry, entries []search.Entry) [][]search.Entry {
	for i := range entries {
		if in := entries[i].Inner; in != nil {
			dst = appendLists(append(dst, in.Entries), in.Entries)
		}
	}
	return dst
}

// settleInner returns a condition on held resources of a batch, of which inner are all entries, without chains that lead elsewhere.
func (r *reader) settleInner(ctx context.Context, e search.Expr, inner [][]search.Entry) (search.Expr, error) {
	list := func(in []search.Expr) ([]search.Expr, error) {
		out := make([]search.Expr, len(in))
		for i, c := range in {
			var err error
			if out[i], err = r.settleInner(ctx, c, inner); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	switch e := e.(type) {
	case search.And:
		l, err := list(e)
		return search.And(l), err
	case search.Or:
		l, err := list(e)
		return search.Or(l), err
	case search.Not:
		c, err := r.settleInner(ctx, e.Expr, inner)
		return search.Not{Expr: c}, err
	case search.Within:
		var err error
		e.Where, err = r.settleInner(ctx, e.Where, inner)
		return e, err
	case search.Referred: // nothing elsewhere refers to what is held
		return search.Or{}, nil
	case search.Refers:
		var targets []string
		for _, entries := range inner {
			for i := range entries {
				if n := &entries[i]; n.Param == e.Param && n.Type == e.Target && n.ID != "" {
					targets = append(targets, n.ID)
				}
			}
		}
		slices.Sort(targets)
		var out search.Or
		for chunk := range slices.Chunk(slices.Compact(targets), loadChunk) {
			rows, err := r.findType(ctx, e.Target, search.And{search.KeyIn{IDs: chunk}, orAll(e.Where)}, nil, nil, false, unlimited)
			if err != nil {
				return nil, err
			}
			for i := range rows {
				out = append(out, pointsTo(e.Param, rows[i].Key))
			}
		}
		return out, nil
	}
	return e, nil
}
