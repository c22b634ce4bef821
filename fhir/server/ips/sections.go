package ips

import (
	_ "embed"
	"encoding/json"
	"slices"
	"sync"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
)

//go:embed sections.json
var tables []byte

// table is sections.json.
type table struct {
	Source string
	// Apart are the types of what is not added because something in a section refers to it: a summary is of one patient, and one document.
	Apart    []string
	Sections []section
}

// section is one section of the Composition. Its code is of LOINC.
type section struct {
	Title, Code, Display string
	// Required sections are there when they have nothing, and say so in Empty.
	Required bool
	Empty    string
	Searches []finding
	Columns  []column
}

// finding says what a section lists.
type finding struct {
	Type string
	// Query is a search beside that for the patient.
	Query string
	pairs []search.Pair
	// Only and Unless narrow it by the texts of elements that R4 has no search parameter for; Without is an element that is not true.
	Only, Unless map[string][]string
	Without      string
	// Latest lists of each code the first alone.
	Latest bool
	// Told lists in the narrative alone what the profile does not let the section refer to.
	Told bool
}

// column is a column of a section's narrative: the first of Elements that a resource has is shown. A choice is named without its type.
type column struct {
	Heading  string
	Elements []string
}

// loaded returns the table, which is read at the first call.
var loaded = sync.OnceValue(func() *table {
	t := &table{}
	if err := json.Unmarshal(tables, t); err != nil {
		panic("ips: sections.json: " + err.Error())
	}
	for i := range t.Sections {
		for j := range t.Sections[i].Searches {
			f := &t.Sections[i].Searches[j]
			pairs, err := search.ReadQuery(f.Query)
			if err != nil {
				panic("ips: sections.json: " + err.Error())
			}
			f.pairs = pairs
		}
	}
	return t
})

// admits reports whether a resource that the search found is listed.
func (f *finding) admits(r fhir.Resource) bool {
	for name, texts := range f.Only {
		if !slices.Contains(texts, r.Get(name).Text()) {
			return false
		}
	}
	for name, texts := range f.Unless {
		if slices.Contains(texts, r.Get(name).Text()) {
			return false
		}
	}
	return f.Without == "" || r.Get(f.Without).Text() != "true"
}
