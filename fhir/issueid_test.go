package fhir_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write ISSUES.md")

// TestIssueIDsHavePage holds ISSUES.md to the table: each id is lower case with dashes, stands there once, and has a sentence.
func TestIssueIDsHavePage(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "issueid.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	b.WriteString("# Issue ids\n\nEach issue of an OperationOutcome has its id in `details.coding.code`, with the system `urn:fhirgate:issue`. " +
		"An id keeps its meaning over releases.\nThis page is made from issueid.go by `go test ./fhir -run IssueIDs -update`.\n")
	seen := map[string]bool{}
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| Id | Meaning |\n|---|---|\n", strings.TrimSuffix(strings.TrimSpace(group.Doc.Text()), "."))
		for _, s := range group.Specs {
			v := s.(*ast.ValueSpec)
			id, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			sentence := strings.TrimSpace(v.Comment.Text())
			switch {
			case seen[id]:
				t.Errorf("%s is there twice", id)
			case strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
				t.Errorf("%s is not lower case with dashes", id)
			case !strings.HasSuffix(sentence, "."):
				t.Errorf("%s has no sentence", id)
			case strings.ReplaceAll(strings.ToLower(v.Names[0].Name), "_", "") != "id"+strings.ReplaceAll(id, "-", ""):
				t.Errorf("the constant of %s is called %s", id, v.Names[0].Name)
			}
			seen[id] = true
			fmt.Fprintf(&b, "| `%s` | %s |\n", id, strings.ReplaceAll(sentence, "|", `\|`))
		}
	}
	if len(seen) < 100 {
		t.Fatalf("found %d ids only", len(seen))
	}
	if *update {
		if err := os.WriteFile("ISSUES.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if page, err := os.ReadFile("ISSUES.md"); err != nil || !bytes.Equal(page, b.Bytes()) {
		t.Error("ISSUES.md is not what issueid.go says; run go test ./fhir -run IssueIDs -update")
	}
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// TestIssueIDsAreOfTheTable type-checks the project: a constant of type IssueID is one of the table, by its name, and each of these is used. Issues that
// are named by what is not known here, as invariants are by their keys, are converted from variables, and only in the files that may.
func TestIssueIDsAreOfTheTable(t *testing.T) {
	mayConvert := map[string]string{
		"fhir/search/searchtest/run.go": "the ids of a script are compared with those of an error",
	}
	own, exports := project(t)
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	fhirPackage, err := imp.Import(module + "/fhir")
	if err != nil {
		t.Fatal(err)
	}
	idType := fhirPackage.Scope().Lookup("IssueID").Type()
	unused := map[string]bool{}
	for _, name := range fhirPackage.Scope().Names() {
		if c, ok := fhirPackage.Scope().Lookup(name).(*types.Const); ok && types.Identical(c.Type(), idType) {
			unused[name] = true
		}
	}
	for _, p := range own {
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
		if _, err := (&types.Config{Importer: imp}).Check(p.ImportPath, fset, files, info); err != nil {
			t.Fatal(err)
		}
		isID := func(typ types.Type) bool {
			n, ok := typ.(*types.Named)
			return ok && n.Obj().Name() == "IssueID" && n.Obj().Pkg().Path() == module+"/fhir"
		}
		for _, f := range files {
			rel, _ := filepath.Rel(top, fset.Position(f.Pos()).Filename)
			ast.Inspect(f, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.Ident:
					delete(unused, usedID(info.Uses[n], isID))
				case *ast.BasicLit:
					if isID(info.Types[n].Type) && n.Value != `""` && rel != filepath.FromSlash("fhir/issueid.go") {
						t.Errorf("%s: the id %s is a literal; take its constant from the table in fhir/issueid.go, or add one", fset.Position(n.Pos()), n.Value)
					}
				case *ast.CallExpr:
					if to := info.Types[n.Fun]; to.IsType() && isID(to.Type) && mayConvert[filepath.ToSlash(rel)] == "" {
						t.Errorf("%s: a text is made an id; take a constant from the table in fhir/issueid.go", fset.Position(n.Pos()))
					}
				case ast.Expr:
					if tv := info.Types[n]; tv.Value != nil && isID(tv.Type) {
						if _, selected := n.(*ast.SelectorExpr); !selected {
							t.Errorf("%s: the id %s is not a name of the table", fset.Position(n.Pos()), tv.Value)
						}
					}
				}
				return true
			})
		}
	}
	for name := range maps.Keys(unused) {
		t.Errorf("%s is in the table, and nothing uses it", name)
	}
}

// usedID returns the name of a constant of the table that an identifier refers to.
func usedID(o types.Object, isID func(types.Type) bool) string {
	if c, ok := o.(*types.Const); ok && isID(c.Type()) && c.Pkg().Path() == module+"/fhir" {
		return c.Name()
	}
	return ""
}

// project returns the packages of the project, and the file of export data of each package that they import.
func project(t *testing.T) (own []listed, exports map[string]string) {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	exports = map[string]string{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); err == io.EOF {
			return own, exports
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module+"/") {
			own = append(own, p)
		}
	}
}
