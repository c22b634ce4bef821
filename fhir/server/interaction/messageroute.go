package interaction

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/storage"
)

// R4's own events (http://terminology.hl7.org/CodeSystem/message-events).
const eventSystem = "http://terminology.hl7.org/CodeSystem/message-events"

// storing are those of R4's events that ask to store what the message carries. The others ask a question, or to link records, which is not served.
var storing = map[string]bool{
	"admin-notify": true, "communication-request": true, "diagnosticreport-provide": true, "observation-provide": true,
	"MedicationAdministration-Complete": true, "MedicationAdministration-Nullification": true,
	"MedicationAdministration-Recording": true, "MedicationAdministration-Update": true,
}

// route decides by the event what is done with a message: what an event asks for that stores is stored; an event of the site's own is one that stores where
// an active MessageDefinition names it, whose focus then says what the message carries.
func (m *message) route(ctx context.Context) error {
	event, canonical := m.header.Get("eventCoding"), m.header.Get("eventUri").Text()
	system, code := event.Get("system").Text(), event.Get("code").Text()
	if system == eventSystem && storing[code] {
		return nil
	}
	unknown := fhir.NewError(fhir.KindNotSupported, fhir.IssueNotSupported, fhir.IDMessageEvent,
		"messages of this event are not processed here: it is none of R4's that ask to store something, and no active MessageDefinition is stored that has it; "+
			"this response is kept: once the event is served, send the message again in a Bundle and with a MessageHeader that have ids of their own")
	unknown.Issues[0].Expression = "Bundle.entry[0].resource.event"
	if system == eventSystem {
		return unknown
	}
	token := search.Escape(system) + "|" + search.Escape(code)
	if event.Valid() && code == "" || !event.Valid() && canonical == "" {
		return unknown
	}
	if !event.Valid() {
		token = search.Escape(canonical)
	}
	const typ = "MessageDefinition"
	records, _, err := m.Find(ctx, m.q.Base, typ, []search.Pair{{Name: "event", Value: token}, {Name: "status", Value: "active"}}, 1)
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return unknown
	}
	return m.fits(records[0])
}

// fits checks that a message carries as many resources of each type as the focus of its MessageDefinition says.
func (m *message) fits(definition storage.Record) error {
	d, err := fhir.ParseResource(definition.Body, fhir.Limits{})
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for e := range m.q.Message.Get("entry").Children() {
		counts[e.Get("resource").Get("resourceType").Text()]++
	}
	var issues []fhir.Issue
	for f := range d.Get("focus").Children() {
		typ := f.Get("code").Text()
		var least, most int
		fmt.Sscan(f.Get("min").Text(), &least)
		if n, err := fmt.Sscan(f.Get("max").Text(), &most); n != 1 || err != nil {
			most = len(m.q.Message.Raw())
		}
		if n := counts[typ]; n < least || n > most {
			issues = append(issues, fhir.Issue{Severity: fhir.SeverityError, Code: fhir.IssueBusinessRule, ID: fhir.IDMessageEvent, Expression: "Bundle.entry",
				Text: fmt.Sprintf("%s says that a message of this event carries %s to %s resources of type %s, and this one carries %d",
					definition.Key, f.Get("min").Text(), f.Get("max").Text(), typ, n)})
		}
	}
	if len(issues) > 0 {
		return errInvalidResource(issues)
	}
	return nil
}

// carried returns what the message carries as a transaction: a resource of this server is updated; one of elsewhere that has an identifier is updated by it,
// and created where none has it; any other is created.
func (m *message) carried() (fhir.Resource, error) {
	w := &fhir.JSONWriter{Bytes: make([]byte, 0, len(m.q.Message.Raw())+1024)}
	w.Open('{')
	w.String("resourceType", "Bundle")
	w.String("type", "transaction")
	names := map[string]bool{}
	for e := range m.q.Message.Get("entry").Children() {
		names[e.Get("fullUrl").Text()] = true
	}
	open := false
	index := -1
	for e := range m.q.Message.Get("entry").Children() {
		if index++; index == 0 {
			continue
		}
		if !open {
			w.Name("entry")
			w.Open('[')
			open = true
		}
		r, err := fhir.AsResource(e.Get("resource"))
		if err != nil {
			return fhir.Resource{}, at(index, err)
		}
		if err := m.carry(w, e.Get("fullUrl").Text(), r, names); err != nil {
			return fhir.Resource{}, at(index, err)
		}
	}
	if open {
		w.Close(']')
	}
	w.Close('}')
	return fhir.ParseResource(w.Bytes, fhir.Limits{})
}

// carry writes the entry of one resource.
func (m *message) carry(w *fhir.JSONWriter, fullURL string, r fhir.Resource, names map[string]bool) error {
	method, target := "POST", r.Type()
	rest, own := m.names(m.q.Base).cut(fullURL)
	if key, ok := splitRelative(rest); own && ok && key == m.key {
		return badEntry(fhir.IDEntryFullURL, "this id is for the response to the message", ".fullUrl")
	} else if own && ok && key == r.Key() {
		method, target = "PUT", key.String()
	} else if system, value := identifierOf(r); value != "" && m.byIdentifier(r.Type()) {
		method, target = "PUT", r.Type()+"?identifier="+url.QueryEscape(search.Escape(system)+"|"+search.Escape(value))
	}
	var err error
	if !own {
		r, err = absolute(r, restfulBase(fullURL), names)
	}
	if err == nil && (method == "POST" || target != r.Key().String()) {
		r, err = r.WithoutID()
	}
	if err != nil {
		return err
	}
	w.Open('{')
	w.String("fullUrl", fullURL)
	w.Name("resource")
	w.Bytes = r.AppendJSON(w.Bytes)
	w.Name("request")
	w.Open('{')
	w.String("method", method)
	w.String("url", target)
	w.Close('}')
	w.Close('}')
	return nil
}

// byIdentifier reports whether resources of a type are found by their identifiers.
func (m *message) byIdentifier(typ string) bool {
	p, ok := m.parameters.Lookup(typ, "identifier")
	return ok && p.Type == "token"
}

// identifierOf returns the first identifier of a resource that says which one it is.
func identifierOf(r fhir.Resource) (system, value string) {
	one := func(n fhir.Node) bool {
		system, value = n.Get("system").Text(), n.Get("value").Text()
		use := n.Get("use").Text()
		return system != "" && value != "" && use != "old" && use != "temp"
	}
	list := r.Get("identifier")
	if list.Kind() == fhir.Object && one(list) {
		return system, value
	}
	for n := range list.Children() {
		if n.Kind() == fhir.Object && one(n) {
			return system, value
		}
	}
	return "", ""
}

// absolute writes the relative references of a resource of another server as URLs there: left as they are they would name resources of this one. Those to
// other entries stay.
func absolute(r fhir.Resource, base string, names map[string]bool) (fhir.Resource, error) {
	if base == "" {
		return r, nil
	}
	var edits []fhir.Edit
	var walk func(n fhir.Node)
	walk = func(n fhir.Node) {
		for c := range n.Children() {
			switch text := c.Text(); {
			case c.Kind() == fhir.Object || c.Kind() == fhir.Array:
				walk(c)
			case c.Kind() != fhir.String || c.Name() != "reference" || strings.HasPrefix(text, "#") || strings.Contains(text, ":"):
			case names[base+text]:
			default:
				start, end := c.Span()
				edits = append(edits, fhir.Edit{Start: start, End: end, Text: fhir.AppendString(nil, base+text)})
			}
		}
	}
	walk(r.Node)
	if len(edits) == 0 {
		return r, nil
	}
	return fhir.ParseResource(r.AppendEdited(make([]byte, 0, len(r.Raw())+256), edits), fhir.Limits{})
}
