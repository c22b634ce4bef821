package operation

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/storage"
)

// Assembler reads what a document holds, all at one moment, and performs the request that stores it; *interaction.Service is one.
type Assembler interface {
	Gatherer
	Snapshotter
	VRead(ctx context.Context, key fhir.Key, version string) (storage.Record, error)
	ReadMany(ctx context.Context, keys []fhir.Key) ([]storage.Record, error)
	Do(ctx context.Context, q *interaction.Request) (interaction.Response, error)
}

// Document returns $document (http://hl7.org/fhir/R4/composition-operation-document.html): the document of a Composition, which holds it and all that it
// refers to, directly or by what it refers to. With persist=true the document is stored as a Bundle.
func Document(s Assembler, reg *definition.Registry) interaction.Operation {
	const typ = "Composition"
	canonical := canonicalOf(reg, "document")
	parameters := parametersOf(reg, canonical)
	persists := func(q *interaction.Request) bool {
		args, err := argumentsOf(q, parameters())
		return err == nil && args.get("persist").value == "true"
	}
	return interaction.Operation{
		Name:          "document",
		Definition:    canonical,
		Documentation: "Returns the document of a Composition: a Bundle with it and all that it refers to; persist=true stores it. graph is not served.",
		Types:         []string{typ},
		Type:          true,
		Instance:      true,
		Get:           true,
		Post:          true,
		WritesWith:    persists,
		Run: func(ctx context.Context, q *interaction.Request) (interaction.OperationResponse, error) {
			key, version, persist, err := documentOf(s, q, typ, parameters())
			if err != nil {
				return interaction.OperationResponse{}, err
			}
			body, err := assemble(ctx, s, q.Base, key, version)
			if err != nil || !persist {
				return interaction.OperationResponse{Body: body}, err
			}
			return keep(ctx, s, q, body)
		},
	}
}

// documentOf reads which Composition, and which version of it, a document is asked for of.
func documentOf(s Assembler, q *interaction.Request, typ string, parameters []input) (key fhir.Key, version string, persist bool, err error) {
	args, err := argumentsOf(q, parameters)
	if err != nil {
		return key, "", false, err
	}
	if graph := args.get("graph"); graph.name != "" {
		e := fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDOperationParameter, "the parameter graph is not served: a document holds all that its Composition refers to")
		return key, "", false, e
	}
	persist = args.get("persist").value == "true"
	if persist && q.Method != http.MethodPost {
		return key, "", false, errParameter(fhir.IssueNotSupported, "persist=true stores the document and so needs a POST", args.get("persist").node)
	}
	id := args.get("id")
	switch {
	case q.Key.ID != "" && id.name != "":
		return key, "", false, errParameter(fhir.IssueInvalid, "the path names the Composition; id is for "+typ+"/$document", id.node)
	case q.Key.ID != "":
		return q.Key, "", persist, nil
	case id.name == "":
		return key, "", false, errParameter(fhir.IssueRequired, "the parameter id is missing: it names the Composition", fhir.Node{})
	case fhir.ValidID(id.value):
		return fhir.Key{Type: typ, ID: id.value}, "", persist, nil
	}
	key, version, ok := s.Local(q.Base, id.value)
	if !ok || key.Type != typ {
		return key, "", false, errParameter(fhir.IssueNotSupported, "id is that of a "+typ+" of this server, or its URL; those of other servers are not asked for", id.node)
	}
	return key, version, persist, nil
}

// The bounds of a document.
const (
	documentEntries = 5_000
	documentBytes   = 64 << 20
)

// assembly is a document in the making.
type assembly struct {
	s       Assembler
	base    string
	records []storage.Record
	bytes   int
	// held are the versions in records.
	held map[target]bool
	// met are the references that were followed, by what they name.
	met map[target]bool
	// faults are the references of the Composition that cannot be followed.
	faults []fhir.Issue
}

// target is what a reference names; version is "" for the current one.
type target struct {
	key     fhir.Key
	version string
}

// assemble returns the document of a Composition.
func assemble(ctx context.Context, s Assembler, base string, key fhir.Key, version string) (body []byte, err error) {
	a := &assembly{s: s, base: base, held: map[target]bool{}, met: map[target]bool{}}
	err = s.Snapshot(ctx, func(ctx context.Context) error { return a.gather(ctx, key, version) })
	if err != nil {
		return nil, err
	}
	if len(a.faults) > 0 {
		return nil, &fhir.Error{Kind: fhir.KindUnprocessable, Issues: a.faults}
	}
	return a.write(), nil
}

// gather reads the Composition and all that it refers to.
func (a *assembly) gather(ctx context.Context, key fhir.Key, version string) error {
	var rec storage.Record
	var err error
	if version != "" {
		rec, err = a.s.VRead(ctx, key, version)
	} else {
		rec, err = a.s.Read(ctx, key)
	}
	if err != nil {
		return err
	}
	// A reference to the Composition, from what it refers to, is to the one that is there.
	a.met[target{key, ""}] = true
	if err := a.take(rec); err != nil {
		return err
	}
	composition, err := fhir.ParseResource(rec.Body, fhir.Limits{})
	if err != nil {
		return err
	}
	wanted, also := a.referencesOf(composition)
	if err := a.require(ctx, wanted); err != nil {
		return err
	}
	from := 1
	for {
		for ; from < len(a.records); from++ {
			r, err := fhir.ParseResource(a.records[from].Body, fhir.Limits{})
			if err != nil {
				return err
			}
			fhir.EachReference(r.Node, func(n fhir.Node) {
				if t, ok := a.target(n); ok && !a.met[t] {
					a.met[t] = true
					also = append(also, t)
				}
			})
		}
		if len(also) == 0 {
			return nil
		}
		next := also
		also = nil
		if err := a.add(ctx, next, nil); err != nil {
			return err
		}
	}
}

// required are the elements of a Composition whose references a document must hold (R4 documents, 3.3.1 Content). What relatesTo names are documents
// of their own.
var required = []string{"subject", "encounter", "author", "attester", "custodian", "event", "section"}

// referencesOf returns the references that must lead somewhere, and the targets of all others, of contained resources and extensions.
func (a *assembly) referencesOf(composition fhir.Resource) (wanted []fhir.Node, also []target) {
	must := map[target]bool{}
	var walk func(n fhir.Node)
	walk = func(n fhir.Node) {
		for c := range n.Children() {
			switch {
			case c.Name() == "extension" || c.Name() == "modifierExtension":
			case c.Kind() == fhir.String && c.Name() == "reference":
				wanted = append(wanted, c)
			case c.Kind() == fhir.Object || c.Kind() == fhir.Array:
				walk(c)
			}
		}
	}
	for c := range composition.Children() {
		if slices.Contains(required, c.Name()) {
			walk(c)
		}
	}
	for _, n := range wanted {
		if t, ok := a.target(n); ok {
			must[t] = true
		}
	}
	for c := range composition.Children() {
		if c.Name() == "relatesTo" {
			continue
		}
		fhir.EachReference(c, func(n fhir.Node) {
			if t, ok := a.target(n); ok && !must[t] && !a.met[t] {
				a.met[t] = true
				also = append(also, t)
			}
		})
	}
	return wanted, also
}

// target returns what a reference names; ok is false where that is no resource of this server.
func (a *assembly) target(n fhir.Node) (t target, ok bool) {
	t.key, t.version, ok = a.s.Local(a.base, n.Text())
	return t, ok
}

// require adds what the Composition must have with it, in its order, and notes what is not there.
func (a *assembly) require(ctx context.Context, wanted []fhir.Node) error {
	var targets []target
	where := map[target]string{}
	for _, n := range wanted {
		text := n.Text()
		if strings.HasPrefix(text, "#") {
			continue
		}
		t, ok := a.target(n)
		switch {
		case !ok:
			a.faults = append(a.faults, fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueNotSupported, ID: fhir.IDDocumentForeign, Expression: n.Path(),
				Text: "the document needs what this reference names, which is not a resource of this server; other servers are not asked"})
		case !a.met[t]:
			a.met[t], where[t] = true, n.Path()
			targets = append(targets, t)
		}
	}
	return a.add(ctx, targets, func(t target) {
		a.faults = append(a.faults, fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueNotFound, ID: fhir.IDMissingReference, Expression: where[t],
			Text: "the document needs what this reference names, which does not exist or is deleted"})
	})
}

// add reads targets; missing is told which are not there, where it is not nil.
func (a *assembly) add(ctx context.Context, targets []target, missing func(target)) error {
	if len(a.records)+len(targets) > documentEntries {
		return fhir.NewError(fhir.KindUnprocessable, fhir.IssueTooCostly, fhir.IDDocumentLimit,
			fmt.Sprintf("the document would hold more than %d resources; the server puts no more into one", documentEntries))
	}
	for chunk := range slices.Chunk(targets, 100) {
		var keys []fhir.Key
		for _, t := range chunk {
			if t.version == "" {
				keys = append(keys, t.key)
			}
		}
		current, err := a.s.ReadMany(ctx, keys)
		if err != nil {
			return err
		}
		for _, t := range chunk {
			var rec storage.Record
			if t.version == "" {
				rec, current = current[0], current[1:]
			} else if rec, err = a.s.VRead(ctx, t.key, t.version); err != nil {
				if !isGone(err) {
					return err
				}
				rec = storage.Record{}
			}
			if rec.Version == 0 || rec.Deleted {
				if missing != nil {
					missing(t)
				}
				continue
			}
			if err := a.take(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// take adds a version, once.
func (a *assembly) take(rec storage.Record) error {
	version := target{rec.Key, strconv.FormatInt(rec.Version, 10)}
	if a.held[version] {
		return nil
	}
	a.held[version] = true
	if a.bytes += len(rec.Body); a.bytes > documentBytes {
		return fhir.NewError(fhir.KindUnprocessable, fhir.IssueTooCostly, fhir.IDDocumentLimit,
			fmt.Sprintf("the document would be longer than %d MiB; the server makes none that long", documentBytes>>20))
	}
	a.records = append(a.records, rec)
	return nil
}

// write writes the document.
func (a *assembly) write() []byte {
	dst := beginDocument(make([]byte, 0, a.bytes+200*len(a.records)+512), time.Now())
	for i := range a.records {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendEntry(dst, a.base+"/"+a.records[i].Key.String(), a.records[i].Body)
	}
	return append(dst, `]}`...)
}

// beginDocument appends a document up to its first entry. Its identifier is made for it, as each document has one of its own (R4 bundle, bdl-9).
func beginDocument(dst []byte, now time.Time) []byte {
	dst = append(dst, `{"resourceType":"Bundle","identifier":{"system":"urn:ietf:rfc:3986","value":"`...)
	dst = append(append(dst, newURN()...), `"},"type":"document","timestamp":"`...)
	return append(append(dst, fhir.FormatInstant(now)...), `","entry":[`...)
}

// appendEntry appends an entry of a document.
func appendEntry(dst []byte, fullURL string, body []byte) []byte {
	dst = fhir.AppendString(append(dst, `{"fullUrl":`...), fullURL)
	return append(append(append(dst, `,"resource":`...), body...), '}')
}

// keep stores a document as the create of a Bundle, which is authorized like any other.
func keep(ctx context.Context, s Assembler, q *interaction.Request, body []byte) (interaction.OperationResponse, error) {
	r, err := fhir.ParseResource(body, fhir.Limits{})
	if err != nil {
		return interaction.OperationResponse{}, err
	}
	res, err := s.Do(ctx, &interaction.Request{Code: interaction.CodeCreate, Key: fhir.Key{Type: r.Type()}, Method: http.MethodPost, Base: q.Base,
		Resource: r, Prefer: interaction.Preferences{Return: "representation"}})
	if err != nil {
		return interaction.OperationResponse{}, err
	}
	location := q.Base + "/" + res.Record.Key.String()
	return interaction.OperationResponse{Status: http.StatusCreated, Header: http.Header{"Location": {location}}, Body: res.Resource}, nil
}
