package rest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
)

var update = flag.Bool("update", false, "write the table of what is supported into the README")

const (
	readme    = "../../../README.md"
	tableHead = "<!-- supported: go test ./fhir/server/rest -run README -update -->\n"
	tableFoot = "<!-- /supported -->\n"
)

func TestREADMEStatesWhatTheCapabilityStatementStates(t *testing.T) {
	cfg := newConfig(t)
	s := newServerOf(t, cfg)
	var c capabilities
	if err := json.Unmarshal(s.do(t, "GET", "/fhir/metadata", nil, "").body, &c); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	start, end := bytes.Index(file, []byte(tableHead)), bytes.Index(file, []byte(tableFoot))
	if start < 0 || end < start {
		t.Fatalf("%s has no table between %q and %q", readme, tableHead, tableFoot)
	}
	start += len(tableHead)
	want := supported(c, cfg.Service.Routes())
	if *update {
		file = slices.Concat(file[:start], []byte(want), file[end:])
		if err := os.WriteFile(readme, file, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := string(file[start:end]); got != want {
		t.Errorf("the README's table is not what the server states; write it anew with -update:\n%s", want)
	}
}

// supported renders what a CapabilityStatement states as a table. The statement does not tell at which level an operation on a type is served; the routes
// do.
func supported(c capabilities, routes []interaction.Route) string {
	var b strings.Builder
	row := func(what, how string) { fmt.Fprintf(&b, "| %s | %s |\n", what, how) }
	b.WriteString("| What | Served |\n|---|---|\n")
	r := c.Rest[0]
	kinds := map[string]int{}
	params := 0
	var onTypes []string
	everywhere := map[string]int{}
	for _, res := range r.Resource {
		for _, o := range res.Operation {
			everywhere[o.Name]++
		}
	}
	for _, res := range r.Resource {
		for _, p := range res.SearchParam {
			kinds[p.Type]++
			params++
		}
		for _, o := range res.Operation {
			typ := res.Type
			if everywhere[o.Name] == len(r.Resource) {
				typ = "[type]"
			}
			for _, r := range routes {
				level, ok := strings.CutPrefix(r.Path, ":type/")
				if !ok || level != "$"+o.Name && level != ":id/$"+o.Name {
					continue
				}
				if name := "`" + typ + "/" + strings.Replace(level, ":id", "[id]", 1) + "`"; !slices.Contains(onTypes, name) {
					onTypes = append(onTypes, name)
				}
			}
		}
	}
	row("Resource types", fmt.Sprintf("%d: every concrete type of R4 (%s)", len(r.Resource), c.FhirVersion))
	row("On every type", codes(r.Resource[0].Interaction))
	row("On the system", codes(r.Interaction))
	row("Conditional", "create, read, update, patch, delete ("+r.Resource[0].ConditionalDelete+")")
	var byKind []string
	for k := range kinds {
		byKind = append(byKind, fmt.Sprintf("%d %s", kinds[k], k))
	}
	slices.Sort(byKind)
	row("Search parameters", fmt.Sprintf("%d over all types: %s", params, strings.Join(byKind, ", ")))
	var compartments []string
	for _, url := range r.Compartment {
		compartments = append(compartments, url[strings.LastIndexByte(url, '/')+1:])
	}
	_, shown, _ := strings.Cut(r.Documentation, "The definitions of R4 (")
	shown, _, _ = strings.Cut(shown, ")")
	row("Definitions of R4, to read and search", shown)
	row("Compartments", strings.Join(compartments, ", "))
	for _, o := range r.Operation {
		onTypes = append(onTypes, "`$"+o.Name+"`")
	}
	row("Operations", strings.Join(onTypes, ", "))
	row("Formats", strings.Join(c.Format, ", "))
	row("Formats of patches", strings.Join(c.PatchFormat, ", "))
	for _, u := range search.UnsupportedList() {
		row("Not served: `"+u.Name+"`", u.Reason)
	}
	return b.String()
}

// codes joins the codes of interactions.
func codes(list []declaredCode) string {
	var out []string
	for _, i := range list {
		out = append(out, i.Code)
	}
	return strings.Join(out, ", ")
}
