package ips

import (
	"fmt"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// write writes the document.
func (s *summary) write() []byte {
	now := fhir.FormatInstant(s.Now)
	composition, author := s.NewUUID(), s.NewUUID()
	w := &fhir.JSONWriter{Bytes: make([]byte, 0, s.bytes+300*len(s.entries)+16<<10)}
	w.Open('{')
	w.String("resourceType", "Bundle")
	profile(w, bundleProfile)
	w.Name("identifier")
	w.Open('{')
	w.String("system", "urn:ietf:rfc:3986")
	w.String("value", "urn:uuid:"+s.NewUUID())
	w.Close('}')
	w.String("type", "document")
	w.String("timestamp", now)
	w.Name("entry")
	w.Open('[')
	entry(w, "urn:uuid:"+composition, func() { s.composition(w, composition, author, now) })
	for i := range s.entries {
		entry(w, s.url(s.entries[i].Key), func() { w.Bytes = append(w.Bytes, s.entries[i].Body...) })
	}
	entry(w, "urn:uuid:"+author, func() {
		w.Open('{')
		w.String("resourceType", "Device")
		w.String("id", author)
		w.Name("deviceName")
		w.Open('[')
		w.Open('{')
		w.String("name", "fhirgate")
		w.String("type", "user-friendly-name")
		w.Close('}')
		w.Close(']')
		w.Close('}')
	})
	w.Close(']')
	w.Close('}')
	return w.Bytes
}

// url returns the fullUrl of a resource of the server.
func (s *summary) url(key fhir.Key) string { return s.Base + "/" + key.String() }

// entry writes an entry of the Bundle.
func entry(w *fhir.JSONWriter, fullURL string, resource func()) {
	w.Open('{')
	w.String("fullUrl", fullURL)
	w.Name("resource")
	resource()
	w.Close('}')
}

// profile writes the meta of a resource that has a profile.
func profile(w *fhir.JSONWriter, canonical string) {
	w.Name("meta")
	w.Open('{')
	w.Strings("profile", []string{canonical})
	w.Close('}')
}

// concept writes a member that is a CodeableConcept of one code.
func concept(w *fhir.JSONWriter, name, system, code, display, text string) {
	w.Name(name)
	w.Open('{')
	w.Name("coding")
	w.Open('[')
	w.Open('{')
	w.String("system", system)
	w.String("code", code)
	w.String("display", display)
	w.Close('}')
	w.Close(']')
	w.String("text", text)
	w.Close('}')
}

// reference writes a member that is a Reference, or an item where name is empty.
func reference(w *fhir.JSONWriter, name, url string) {
	if name != "" {
		w.Name(name)
	}
	w.Open('{')
	w.String("reference", url)
	w.Close('}')
}

// text writes a Narrative.
func text(w *fhir.JSONWriter, div string) {
	w.Name("text")
	w.Open('{')
	w.String("status", "generated")
	w.String("div", div)
	w.Close('}')
}

const loinc = "http://loinc.org"

// composition writes the Composition.
func (s *summary) composition(w *fhir.JSONWriter, id, author, now string) {
	w.Open('{')
	w.String("resourceType", "Composition")
	w.String("id", id)
	profile(w, Profile)
	text(w, s.overview(now))
	w.String("status", "final")
	concept(w, "type", loinc, "60591-5", "Patient summary Document", "")
	reference(w, "subject", s.url(s.Patient.Key))
	w.String("date", now)
	w.Name("author")
	w.Open('[')
	reference(w, "", "urn:uuid:"+author)
	w.Close(']')
	w.String("title", "International Patient Summary")
	if custodian, _, ok := s.source.Local(s.Base, s.patient.Get("managingOrganization").Get("reference").Text()); ok && s.held[custodian].Valid() {
		reference(w, "custodian", s.url(custodian))
	}
	w.Name("section")
	w.Open('[')
	for i := range s.table.Sections {
		s.section(w, &s.table.Sections[i], &s.sections[i])
	}
	w.Close(']')
	w.Close('}')
}

// section writes a section; nothing where it lists nothing and may be left out.
func (s *summary) section(w *fhir.JSONWriter, sec *section, c *content) {
	if len(c.items) == 0 && !sec.Required {
		return
	}
	w.Open('{')
	w.String("title", sec.Title)
	concept(w, "code", loinc, sec.Code, sec.Display, "")
	text(w, s.narrative(sec, c))
	entries := false
	for _, it := range c.items {
		if it.told {
			continue
		}
		if !entries {
			w.Name("entry")
			w.Open('[')
			entries = true
		}
		reference(w, "", s.url(it.key))
	}
	if entries {
		w.Close(']')
	} else if sec.Required {
		concept(w, "emptyReason", "http://terminology.hl7.org/CodeSystem/list-empty-reason", "unavailable", "Unavailable", sec.Empty)
	}
	w.Close('}')
}

// narrative returns the text of a section.
func (s *summary) narrative(sec *section, c *content) string {
	n := &narrative{resolve: s.resolve}
	n.begin()
	if len(c.items) == 0 {
		n.paragraph(sec.Empty)
		return n.end()
	}
	if c.latest {
		n.paragraph("The latest of each kind is listed; the record has older ones.")
	}
	if c.cut {
		n.paragraph(fmt.Sprintf("The record has more than %d of a kind of resource; what comes behind them is not listed.", listed))
	}
	headings := make([]string, len(sec.Columns))
	for i := range sec.Columns {
		headings[i] = sec.Columns[i].Heading
	}
	n.table(headings)
	for _, it := range c.items {
		if it.told && s.listedBy(c, it.key) {
			continue
		}
		n.row(n.cells(sec.Columns, it.resource))
	}
	n.closeTable()
	return n.end()
}

// listedBy reports whether an entry of the section refers to a resource, and so shows it.
func (s *summary) listedBy(c *content, key fhir.Key) (found bool) {
	for _, it := range c.items {
		if it.told {
			continue
		}
		fhir.EachReference(it.resource.Node, func(n fhir.Node) {
			named, _, ok := s.source.Local(s.Base, n.Text())
			found = found || ok && named == key
		})
	}
	return found
}

// overview returns the text of the Composition: of whom it is, and of when.
func (s *summary) overview(now string) string {
	n := &narrative{resolve: s.resolve}
	n.begin()
	n.paragraph("International Patient Summary, made at " + now + " from what the server holds.")
	if s.partial {
		n.paragraph("What the listed resources refer to is too much for one document, which does not hold all of it.")
	}
	n.table([]string{"Name", "Date of birth", "Gender"})
	var names []string
	for name := range s.patient.Get("name").Children() {
		full := name.Get("text").Text()
		if full == "" {
			var parts []string
			for given := range name.Get("given").Children() {
				parts = append(parts, given.Text())
			}
			full = strings.TrimSpace(strings.Join(append(parts, name.Get("family").Text()), " "))
		}
		if full != "" {
			names = append(names, full)
		}
	}
	n.row([]string{strings.Join(names, ", "), s.patient.Get("birthDate").Text(), s.patient.Get("gender").Text()})
	n.closeTable()
	return n.end()
}
