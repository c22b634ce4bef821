package validation

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// The site's phase holds resources to the JSON Schemas that the operator keeps in a folder, one file a resource type.

// maxSiteSchema bounds a schema file.
const maxSiteSchema = 8 << 20

// maxSiteValues bounds the resources that the site's schemas are applied to: gojsonschema keeps a message for every value that is at fault.
const maxSiteValues = 200_000

// siteSchemas are the compiled schemas by resource type.
type siteSchemas map[string]*schema

// Reload reads the site's schemas again and puts them in force all at once. Where a file is broken the error names it and the schemas in
// force stay. It may be called at any time.
func (v *Validator) Reload() error {
	if v.dir == "" {
		return nil
	}
	files, err := os.ReadDir(v.dir)
	if err != nil {
		return fmt.Errorf("site schemas: %w", err)
	}
	set, from := siteSchemas{}, map[string]string{}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".json")
		if f.IsDir() || !ok || strings.HasPrefix(name, ".") {
			continue
		}
		name = strings.TrimSuffix(name, ".schema")
		path := filepath.Join(v.dir, f.Name())
		if _, ok := v.reg.Resource(name); !ok {
			return fmt.Errorf("site schema %s: %q is not a resource type of R4", path, name)
		}
		if other, ok := from[name]; ok {
			return fmt.Errorf("site schema %s: %s already has the schema of %s", path, other, name)
		}
		if set[name], err = readSiteSchema(path); err != nil {
			return fmt.Errorf("site schema %s: %w", path, err)
		}
		from[name] = path
	}
	v.site.Store(&set)
	return nil
}

func readSiteSchema(path string) (*schema, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSiteSchema {
		return nil, fmt.Errorf("larger than %d MB", maxSiteSchema>>20)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	// fhir.Parse refuses what encoding/json passes over: duplicate members and bytes behind the document.
	if _, err := fhir.Parse(text, fhir.Limits{}); err != nil {
		return nil, err
	}
	return compileSchema(text)
}

// site runs the phase on the root. Resources inside of it are not records of the site's own, and are not held to its rules.
func (w *walker) site() {
	set := w.v.site.Load()
	if set == nil {
		return
	}
	s, ok := (*set)[w.root.Type()]
	if !ok {
		return
	}
	var b builder
	document := b.build(w.root.Node, true)
	if b.count > maxSiteValues {
		w.add(w.root.Node, "", fhir.IssueTooCostly, fhir.IDSiteCost, "the resource has too many values for the site's schema")
		return
	}
	found, err := s.check(document)
	if err != nil {
		w.add(w.root.Node, "", fhir.IssueException, fhir.IDSiteSchema, "the site's schema of "+w.root.Type()+" could not be applied")
	}
	found = first(w, found)
	noted := false
	for _, m := range found {
		if !combines[m.rule] {
			w.siteMismatch(m)
			noted = true
		}
	}
	for _, m := range found {
		if combines[m.rule] && !noted {
			w.siteMismatch(m)
		}
	}
}

// combines are the rules over other rules. Where one of those is told, that is the better message.
var combines = map[string]bool{"number_any_of": true, "number_one_of": true, "number_all_of": true, "condition_then": true, "condition_else": true}

// siteRules says what the rules of JSON Schema ask for, by gojsonschema's names. What ends in a blank goes on with the bound.
var siteRules = map[string]string{
	"required":                        "the site's schema requires",
	"enum":                            "the site's schema allows ",
	"const":                           "the site's schema allows ",
	"invalid_type":                    "the site's schema requires a value of type ",
	"string_gte":                      "the site's schema requires a minimum length of ",
	"string_lte":                      "the site's schema allows a maximum length of ",
	"pattern":                         "the site's schema requires text that matches ",
	"format":                          "the site's schema requires text of the format ",
	"number_gte":                      "the site's schema requires a number of at least ",
	"number_gt":                       "the site's schema requires a number above ",
	"number_lte":                      "the site's schema requires a number of at most ",
	"number_lt":                       "the site's schema requires a number below ",
	"multiple_of":                     "the site's schema requires a multiple of ",
	"array_min_items":                 "the site's schema requires a minimum number of values: ",
	"array_max_items":                 "the site's schema allows a maximum number of values: ",
	"array_min_properties":            "the site's schema requires a minimum number of elements: ",
	"array_max_properties":            "the site's schema allows a maximum number of elements: ",
	"array_no_additional_items":       "the site's schema allows no further values",
	"unique":                          "the site's schema requires values that differ",
	"contains":                        "the site's schema requires a value that is missing here (\"contains\")",
	"additional_property_not_allowed": "the site's schema does not allow this element",
	"invalid_property_pattern":        "the site's schema does not allow the name of this element",
	"invalid_property_name":           "the site's schema does not allow the name of an element",
	"missing_dependency":              "the site's schema also requires ",
	"number_not":                      "the site's schema forbids this by a \"not\"",
	"number_any_of":                   "the site's schema requires one of the alternatives of its \"anyOf\", and none is met",
	"number_one_of":                   "the site's schema requires exactly one of the alternatives of its \"oneOf\"",
	"number_all_of":                   "the site's schema requires everything that its \"allOf\" lists",
	"condition_then":                  "the site's schema requires what is in its \"then\", since its \"if\" is met",
	"condition_else":                  "the site's schema requires what is in its \"else\", since its \"if\" is not met",
	"false":                           "the site's schema allows nothing here",
}

// siteMismatch notes a fault against the site's schema. Only the rule's name, and what the schema itself says, are told; not the value.
func (w *walker) siteMismatch(m mismatch) {
	n := w.root.Node
	for _, step := range m.path {
		next := n.Get(step)
		if n.Kind() == fhir.Array {
			i, _ := strconv.Atoi(step)
			next = n.At(i)
		}
		if !next.Valid() {
			break
		}
		n = next
	}
	text, known := siteRules[m.rule]
	switch {
	case !known:
		text = "the site's schema is not met: " + strings.ReplaceAll(m.rule, "_", " ")
	case m.rule == "required":
		text += " " + m.property
	case strings.HasSuffix(text, " "):
		text += m.detail
	}
	if m.rule != "required" && !elementName(m.property) {
		m.property = ""
	}
	w.add(n, m.property, fhir.IssueBusinessRule, fhir.IDSiteSchema, text)
}
