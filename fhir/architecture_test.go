package fhir_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir/definition"
)

const (
	root   = ".."
	module = "github.com/fhirgate/fhirgate"
)

// imports says for each package which other packages of the project it may import. The direction is
//
//	cmd -> rest -> operation -> interaction -> {storage, validation} -> search -> fhirpath -> definition -> fhir
//
// and never sideways: the engines do not know each other, validation does not know storage, storage does not know HTTP. cmd
// covers the folders below it; an entry that ends in ... covers what starts like it.
var imports = map[string][]string{
	"cmd":                        {"..."},
	"fhir":                       {},
	"fhir/definition/corpustest": {},
	"fhir/definition":            {"fhir"},
	"fhir/definition/generate":   {"fhir"},
	"fhir/ucum":                  {"fhir"},
	"fhir/xml":                   {"fhir", "fhir/definition"},
	"fhir/patch":                 {"fhir", "fhir/definition", "fhir/fhirpath"},
	"fhir/xhtml":                 {"fhir", "fhir/definition"},
	"fhir/fhirpath":              {"fhir", "fhir/definition", "fhir/ucum", "fhir/xhtml"},
	"fhir/search":                {"fhir", "fhir/definition", "fhir/fhirpath", "fhir/ucum"},
	"fhir/terminology":           {"fhir", "fhir/definition", "fhir/search"},
	"fhir/search/searchtest":     {"fhir", "fhir/definition/corpustest", "fhir/search"},
	"storage":                    {"fhir", "fhir/search"},
	"storage/mongodb":            {"storage", "fhir/search", "fhir"},
	"storage/mongodb/mongotest":  {},
	"storage/embedded":           {"storage", "fhir/search", "fhir"},
	"storage/storagetest":        {"storage", "fhir/..."},
	"storage/traced":             {"storage", "fhir/search", "fhir"},
	"validation":                 {"fhir", "fhir/definition", "fhir/fhirpath", "fhir/xhtml"},
	"fhir/server/job":            {"storage"},
	"fhir/server/parameter":      {"fhir", "fhir/definition", "fhir/search", "storage", "fhir/server/job"},
	"fhir/server/specification":  {"fhir", "fhir/definition", "fhir/search", "storage"},
	"fhir/server/graphql":        {"fhir", "fhir/definition", "fhir/fhirpath", "fhir/search"},
	"fhir/server/ips":            {"fhir", "fhir/search", "storage"},
	"fhir/server/interaction":    {"fhir", "fhir/definition", "fhir/fhirpath", "fhir/patch", "fhir/search", "fhir/terminology", "fhir/xhtml", "storage", "validation", "fhir/server/job", "fhir/server/parameter", "fhir/server/specification"},
	"fhir/server/operation":      {"fhir", "fhir/definition", "fhir/fhirpath", "fhir/patch", "fhir/search", "fhir/ucum", "storage", "validation", "fhir/server/graphql", "fhir/server/interaction", "fhir/server/ips", "fhir/server/job", "fhir/server/parameter"},
	"fhir/server/openapi":        {"fhir", "fhir/definition", "fhir/search", "fhir/server/interaction"},
	"fhir/server/rest":           {"fhir", "fhir/xml", "fhir/server/interaction", "fhir/server/openapi", "fhir/server/operation"},
}

// beyond are imports that the layout does not have and building has shown to be needed, with the reason. They too lead downwards only.
var beyond = map[[2]string]string{
	{"fhir/server/rest", "fhir/definition"}: "routes and the CapabilityStatement are made from the registry's types and parameters",
	{"fhir/server/rest", "fhir/search"}:     "the CapabilityStatement states the parameters that search serves",
	{"fhir/server/rest", "storage"}:         "an interaction answers with the engine's Record, whose body is copied to the client",
}

// libraries says which packages may import a library, and in how many of their files (0 for any number).
var libraries = []struct {
	prefix   string
	packages []string
	files    int
}{
	{"github.com/gin-gonic/gin", []string{"fhir/server/rest"}, 0},
	{"go.mongodb.org/mongo-driver", []string{"storage/mongodb", "storage/mongodb/mongotest"}, 0},
	{"github.com/cockroachdb/pebble", []string{"storage/embedded"}, 0},
	{"github.com/xeipuuv/gojsonschema", []string{"validation"}, 1},
	{"github.com/google/fhir/go", []string{"validation"}, 1},
	{"github.com/spf13/cobra", []string{"cmd"}, 0},
	{"go.opentelemetry.io", []string{"cmd", "fhir/server/rest", "storage/traced"}, 0},
	{"github.com/vektah/gqlparser", []string{"fhir/server/graphql"}, 0},
	// What lies below the interactions does not know HTTP. fhir has the one table of statuses, and an interaction needs their names and those
	// of methods, because the entries of a batch and of a history carry them.
	{"net/http", []string{"cmd", "fhir", "fhir/server/interaction", "fhir/server/openapi", "fhir/server/operation", "fhir/server/rest"}, 0},
}

// everywhere are the resource types that the specification gives a part in the interactions themselves, so that any file may name them.
var everywhere = map[string]string{
	"Bundle":              "what batch, transaction, history and search carry",
	"OperationOutcome":    "what an error is rendered as",
	"CapabilityStatement": "what the server says of itself",
	"Binary":              "the type that is served in its native form",
	"Parameters":          "what operations and FHIRPath Patch take",
	"SearchParameter":     "what a client stores to add a parameter",
}

// allowed are the other resource types that a file or folder may name, with the reason.
var allowed = []struct {
	where  string
	types  []string
	reason string
}{
	{"fhir/definition", []string{"StructureDefinition", "CodeSystem", "ValueSet", "CompartmentDefinition", "OperationDefinition"},
		"the conformance resources that definitions are"},
	{"fhir/server/specification", []string{"CodeSystem", "CompartmentDefinition", "ConceptMap", "OperationDefinition", "StructureDefinition", "ValueSet"},
		"the types of the definitions that are shown"},
	{"fhir/server/rest", []string{"Location"}, "the HTTP header Location"},
	{"fhir/server/rest/statement.go", []string{"TerminologyCapabilities"}, "what the server says of its terminology"},
	{"fhir/server/interaction/bundle.go", []string{"Location"}, "the HTTP header Location, of an operation's response"},
	{"fhir/server/interaction/bundlerules.go", []string{"Composition", "MessageHeader"}, "what a document and a message begin with"},
	{"fhir/server/operation/document.go", []string{"Composition", "Location"}, "what $document is defined for, and the HTTP header Location"},
	{"fhir/server/interaction/messageresponse.go", []string{"MessageHeader"}, "what a message begins with"},
	{"fhir/server/interaction/messageroute.go", []string{"MessageDefinition"}, "what says that messages of an event are processed"},
	{"fhir/server/operation/summary.go", []string{"Patient"}, "what $summary is defined for"},
	{"fhir/server/ips/write.go", []string{"Composition", "Device"}, "what a summary begins with, and its author"},
	{"fhir/server/graphql", []string{"List"}, "the end of the names of searches, PatientList"},
	{"cmd/fhirgate/load", []string{"Location"}, "the HTTP header Location"},
	{"fhir/server/operation/lastn.go", []string{"Observation"}, "$lastn is of Observations"},
	{"fhir/server/operation/stats.go", []string{"Observation"}, "$stats is of Observations"},
	{"fhir/server/operation/diff.go", []string{"Patient"}, "an example in a message"},
	{"fhir/server/operation/graph.go", []string{"GraphDefinition"}, "$graph follows a stored one"},
	{"fhir/server/operation/purge.go", []string{"Patient"}, "$purge is of patients"},
	{"fhir/server/interaction/purgejob.go", []string{"AuditEvent"}, "an AuditEvent tells of an erasure"},
	{"fhir/server/operation/find.go", []string{"List", "Patient"}, "List/$find is of a patient"},
	{"fhir/terminology", []string{"ValueSet", "CodeSystem"}, "stored terminology, which searches look codes up in"},
	{"fhir/search/compound.go", []string{"Patient"}, "parameters that refer to the patient whom a resource is about get compound keys"},
	{"storage/storagetest/population.go", []string{"Patient", "Encounter", "Observation", "Organization", "Practitioner"},
		"the world of resources that engines are measured with"},
}

// goFile is a parsed Go file of the project that is neither a test nor generated.
type goFile struct {
	path  string // from the root, with slashes
	dir   string
	lines int
	ast   *ast.File
	set   *token.FileSet
}

func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f := goFile{path: rel, dir: path.Dir(rel), lines: bytes.Count(src, []byte("\n")), set: token.NewFileSet()}
		if f.ast, err = parser.ParseFile(f.set, rel, src, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			return err
		}
		if !ast.IsGenerated(f.ast) {
			files = append(files, f)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("found %d Go files only; the walk does not see the repository", len(files))
	}
	return files
}

// row returns the key of imports that covers a folder.
func row(dir string) (string, bool) {
	if strings.HasPrefix(dir, "cmd/") {
		dir = "cmd"
	}
	_, ok := imports[dir]
	return dir, ok
}

// covers reports whether an entry of the tables stands for the package.
func covers(entry, pkg string) bool {
	if prefix, below := strings.CutSuffix(entry, "..."); below {
		return strings.HasPrefix(pkg+"/", prefix)
	}
	return entry == pkg
}

func TestPackagesImportOnlyWhatLiesBelowThem(t *testing.T) {
	for _, f := range goFiles(t) {
		from, ok := row(f.dir)
		if !ok {
			t.Errorf("%s: the package %s is not in the table of imports: add it there, and to the layout it comes from", f.path, f.dir)
			continue
		}
		for _, spec := range f.ast.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			to, own := strings.CutPrefix(name, module+"/")
			if !own {
				if from == "fhir" && strings.Contains(strings.SplitN(name, "/", 2)[0], ".") {
					t.Errorf("%s: fhir imports only the standard library, not %s", f.path, name)
				}
				continue
			}
			if inside, _ := row(to); inside == from {
				continue
			}
			if !slices.ContainsFunc(imports[from], func(entry string) bool { return covers(entry, to) }) && beyond[[2]string{from, to}] == "" {
				t.Errorf("%s: %s may not import %s", f.path, from, to)
			}
		}
	}
}

func TestLibrariesStayInTheirPackages(t *testing.T) {
	files := goFiles(t)
	for _, lib := range libraries {
		users := map[string]bool{}
		for _, f := range files {
			from, _ := row(f.dir)
			for _, spec := range f.ast.Imports {
				name, _ := strconv.Unquote(spec.Path.Value)
				if name != lib.prefix && !strings.HasPrefix(name, lib.prefix+"/") {
					continue
				}
				users[f.path] = true
				if !slices.Contains(lib.packages, from) {
					t.Errorf("%s: %s is for %s only", f.path, name, strings.Join(lib.packages, ", "))
				}
			}
		}
		if lib.files > 0 && len(users) > lib.files {
			t.Errorf("%d files import %s; it lives in %d", len(users), lib.prefix, lib.files)
		}
	}
}

// TestResourceTypesAreNotNamedInCode holds that what the server does is made for all resource types: a literal that is the name of one, or
// a path or reference that starts with it, needs an entry in a list above.
func TestResourceTypesAreNotNamedInCode(t *testing.T) {
	used := make([]map[string]bool, len(allowed))
	for i := range used {
		used[i] = map[string]bool{}
	}
	for _, f := range goFiles(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if _, isImport := n.(*ast.ImportSpec); isImport {
				return false
			}
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				return true
			}
			typ := leadingType(text)
			if typ == "" || everywhere[typ] != "" {
				return true
			}
			for i, a := range allowed {
				if (a.where == f.path || strings.HasPrefix(f.path, a.where+"/")) && slices.Contains(a.types, typ) {
					used[i][typ] = true
					return true
				}
			}
			t.Errorf("%s: the literal %s names the resource type %s; if it must, add it to allowed with the reason", f.set.Position(lit.Pos()), lit.Value, typ)
			return true
		})
	}
	for i, a := range allowed {
		for _, typ := range a.types {
			if !used[i][typ] {
				t.Logf("%s need not be allowed %s", a.where, typ)
			}
		}
	}
}

// leadingType returns the resource type that a literal is or starts with, as "Patient", "Patient/1", "Patient.name", "Patient?", or that
// JSON in it names; "" for prose and for anything else.
func leadingType(text string) string {
	if _, after, ok := strings.Cut(text, `"resourceType":"`); ok {
		text, _, _ = strings.Cut(after, `"`)
	}
	if strings.ContainsAny(text, " \n") {
		return ""
	}
	name := text
	if i := strings.IndexAny(text, "/.?"); i >= 0 {
		name = text[:i]
	}
	if _, ok := definition.R4().Resource(name); !ok {
		return ""
	}
	return name
}

func TestLeadingTypeOfALiteral(t *testing.T) {
	for text, want := range map[string]string{
		"Patient": "Patient", "Patient/": "Patient", "Patient.name": "Patient", "Encounter?_id=1": "Encounter",
		"patient": "", "Patients": "", "Patient is unknown": "", "a Patient": "", "HumanName": "", "Resource": "", "": "",
		`{"id":"1", "resourceType":"Patient","active":true}`: "Patient",
	} {
		if got := leadingType(text); got != want {
			t.Errorf("%q names %q, want %q", text, got, want)
		}
	}
}

// TestStoresAreNotAskedWhatTheyAre finds type assertions on a Store, a Reader or a Tx: a Store around another one would answer for itself alone.
func TestStoresAreNotAskedWhatTheyAre(t *testing.T) {
	engines := []string{"storage", "embedded", "mongodb"}
	for _, f := range goFiles(t) {
		ast.Inspect(f.ast, func(n ast.Node) bool {
			a, ok := n.(*ast.TypeAssertExpr)
			if !ok || a.Type == nil {
				return true
			}
			if call, ok := a.X.(*ast.CallExpr); ok {
				if fun, ok := call.Fun.(*ast.SelectorExpr); ok && fun.Sel.Name == "Value" {
					return true // what a context carries
				}
			}
			typ := a.Type
			if star, ok := typ.(*ast.StarExpr); ok {
				typ = star.X
			}
			if sel, ok := typ.(*ast.SelectorExpr); ok {
				if pkg, ok := sel.X.(*ast.Ident); ok && slices.Contains(engines, pkg.Name) {
					t.Errorf("%s: a type assertion to %s.%s: what an engine can do belongs to the contract", f.set.Position(a.Pos()), pkg.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

func TestTopLevelOfTheRepository(t *testing.T) {
	want := []string{"LICENSE", "README.md", "cmd", "fhir", "go.mod", "go.sum", "storage", "testdata", "validation"}
	ignored, _ := os.ReadFile(filepath.Join(root, ".gitignore"))
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || slices.Contains(want, e.Name()) {
			continue
		}
		skip := false
		for pattern := range strings.FieldsSeq(string(ignored)) {
			if ok, _ := path.Match(strings.Trim(pattern, "/"), e.Name()); ok {
				skip = true
			}
		}
		if !skip {
			t.Errorf("%s stands at the top level, where only %s belong", e.Name(), strings.Join(want, ", "))
		}
	}
}

// TestFilesStayReadable names the files that hold more than one idea, judged by their length. It only tells.
func TestFilesStayReadable(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.lines > 600 {
			t.Logf("%s has %d lines", f.path, f.lines)
		}
	}
}
