package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// searchParameters writes the parameters by URL, and for each type the numbers of those that it has, its own and inherited, by code.
func (x *index) searchParameters(d *definitions) error {
	byType := map[string]map[string]int{} // type, code: number of the parameter
	x.num(len(d.parameters))
	for i, p := range d.parameters {
		code := p.Get("code").Text()
		x.str(code)
		x.str(p.Get("url").Text())
		x.str(p.Get("type").Text())
		x.strs(texts(p.Get("base")))
		x.str(p.Get("expression").Text())
		x.strs(texts(p.Get("target")))
		x.num(p.Get("component").Len())
		for c := range p.Get("component").Children() {
			x.str(c.Get("definition").Text())
			x.str(c.Get("expression").Text())
		}
		// Where the definition is silent, FHIR leaves both to the server: repeats and lists are taken.
		x.flag(p.Get("multipleOr").Text() != "false")
		x.flag(p.Get("multipleAnd").Text() != "false")
		for _, base := range texts(p.Get("base")) {
			if byType[base] == nil {
				byType[base] = map[string]int{}
			}
			if other, twice := byType[base][code]; twice {
				return fmt.Errorf("%s has the parameter %s twice: %s and %s", base, code,
					d.parameters[other].Get("url").Text(), p.Get("url").Text())
			}
			byType[base][code] = i
		}
	}
	var resources []string
	for _, name := range d.names {
		if d.structures[name].Get("kind").Text() == "resource" {
			resources = append(resources, name)
		}
	}
	x.num(len(resources))
	for _, name := range resources {
		all := map[string]int{}
		for t := name; t != ""; t = strings.TrimPrefix(d.structures[t].Get("baseDefinition").Text(), structurePrefix) {
			for code, n := range byType[t] {
				if _, own := all[code]; !own {
					all[code] = n
				}
			}
		}
		x.str(name)
		x.num(len(all))
		for _, code := range slices.Sorted(maps.Keys(all)) {
			x.num(all[code])
		}
	}
	return nil
}

// compartments writes the links of each compartment: the types that are in it, with the codes of their parameters.
func (x *index) compartments(d *definitions) {
	x.num(len(d.compartments))
	for _, c := range d.compartments {
		x.str(c.Get("code").Text())
		var in []fhir.Node
		for r := range c.Get("resource").Children() {
			if r.Get("param").Len() > 0 {
				in = append(in, r)
			}
		}
		x.num(len(in))
		for _, r := range in {
			x.str(r.Get("code").Text())
			x.strs(texts(r.Get("param")))
		}
	}
}

func (x *index) operations(d *definitions) {
	x.num(len(d.operations))
	for _, o := range d.operations {
		x.str(o.Get("code").Text())
		x.str(o.Get("url").Text())
		x.strs(texts(o.Get("resource")))
		x.flag(o.Get("system").Text() == "true")
		x.flag(o.Get("type").Text() == "true")
		x.flag(o.Get("instance").Text() == "true")
	}
}

// texts returns the items of an array of strings.
func texts(list fhir.Node) []string {
	var out []string
	for n := range list.Children() {
		out = append(out, n.Text())
	}
	return out
}
