package main

import (
	"archive/zip"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"github.com/fhirgate/fhirgate/fhir"
)

// bundles are the official files that are read, in this order. dataelements.json is left out: it repeats every element as a logical model.
var bundles = []string{
	"profiles-types.json", "profiles-resources.json", "profiles-others.json", "extension-definitions.json", "search-parameters.json",
	"valuesets.json", "v2-tables.json", "v3-codesystems.json", "conceptmaps.json",
}

// document is a resource or a JSON Schema, minified, under its canonical URL or its name.
type document struct {
	name string
	json []byte
}

// definitions are the official resources.
type definitions struct {
	documents    []document           // all, sorted by URL
	structures   map[string]fhir.Node // StructureDefinitions of types (no profiles, no logical models) by name
	names        []string             // their names, sorted
	parameters   []fhir.Node          // SearchParameters, sorted by URL
	compartments []fhir.Node          // CompartmentDefinitions, sorted by URL
	operations   []fhir.Node          // OperationDefinitions, sorted by URL
	urls         map[string]fhir.Node // all, by URL
}

// unlimited lets Parse take files larger than a client may send.
var unlimited = fhir.Limits{Nodes: 1 << 30}

func readDefinitions(dir string) (*definitions, error) {
	d := &definitions{structures: map[string]fhir.Node{}, urls: map[string]fhir.Node{}}
	for _, name := range bundles {
		src, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		tree, err := fhir.Parse(src, unlimited)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for e := range tree.Root().Get("entry").Children() {
			r := e.Get("resource")
			url := r.Get("url").Text()
			if url == "" {
				return nil, fmt.Errorf("%s: a resource without a url", name)
			}
			if _, twice := d.urls[url]; twice {
				return nil, fmt.Errorf("%s: %s is defined twice", name, url)
			}
			d.urls[url] = r
		}
	}
	for _, url := range slices.Sorted(maps.Keys(d.urls)) {
		r := d.urls[url]
		d.documents = append(d.documents, document{url, without(nil, r, "text")})
		switch r.Get("resourceType").Text() {
		case "StructureDefinition":
			if r.Get("derivation").Text() != "constraint" && r.Get("kind").Text() != "logical" {
				d.structures[r.Get("name").Text()] = r
			}
		case "SearchParameter":
			d.parameters = append(d.parameters, r)
		case "CompartmentDefinition":
			d.compartments = append(d.compartments, r)
		case "OperationDefinition":
			d.operations = append(d.operations, r)
		}
	}
	d.names = slices.Sorted(maps.Keys(d.structures))
	return d, nil
}

// without appends the object n, minified, but for its own member name.
func without(dst []byte, n fhir.Node, name string) []byte {
	dst = append(dst, '{')
	first := true
	for c := range n.Children() {
		if c.Name() == name {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = fhir.AppendString(dst, c.Name())
		dst = append(dst, ':')
		dst = c.AppendJSON(dst)
	}
	return append(dst, '}')
}

// readSchemas returns definitions[name] of the official JSON Schema, sorted by name, without the descriptions, which validate nothing and
// are three quarters of it.
func readSchemas(dir string) ([]document, error) {
	z, err := zip.OpenReader(filepath.Join(dir, "fhir.schema.json.zip"))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := z.Open("fhir.schema.json")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	tree, err := fhir.Parse(src, unlimited)
	if err != nil {
		return nil, fmt.Errorf("fhir.schema.json: %w", err)
	}
	var out []document
	for n := range tree.Root().Get("definitions").Children() {
		out = append(out, document{n.Name(), appendSchema(nil, n)})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out, nil
}

// appendSchema appends a schema without its descriptions. Under "properties" the names are those of elements, so a description there stays.
func appendSchema(dst []byte, n fhir.Node) []byte {
	switch n.Kind() {
	case fhir.Object:
		dst = append(dst, '{')
		first := true
		for c := range n.Children() {
			if c.Name() == "description" && n.Name() != "properties" {
				continue
			}
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = fhir.AppendString(dst, c.Name())
			dst = append(dst, ':')
			dst = appendSchema(dst, c)
		}
		return append(dst, '}')
	case fhir.Array:
		dst = append(dst, '[')
		for c := range n.Children() {
			if c != n.First() {
				dst = append(dst, ',')
			}
			dst = appendSchema(dst, c)
		}
		return append(dst, ']')
	}
	return n.AppendJSON(dst)
}
