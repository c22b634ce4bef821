// Package fhirpath implements FHIRPath N1 (2.0) with the additions of R4's fhirpath.html. It parses an expression once into an immutable [Program],
// checks its paths against the definitions, and evaluates it over the tree of a resource without copying it.
//
//	p, err := fhirpath.Compile("name.where(use = 'official').given", fhirpath.WithType("Patient"))
//	items, err := p.EvalResource(resource)
//
// # Design
//
// The parser (lexer.go, parser.go) makes a syntax tree, which print.go prints back. Compile (compile.go, check.go) turns it into steps and tracks the
// types that every collection may have: a path that exists in none of them is an error, and so are operands that no operator takes. Functions are in one
// table, in files by the chapters of N1: existence.go, filtering.go, convert.go, strings.go, math.go, tree.go, datetime.go, boundary.go, types.go; FHIR's
// own are in fhir_functions.go, reference.go and html.go.
//
// An evaluation is a machine (eval.go) with one stack of Items. A step pushes its results; a function finds its input at the top of the stack and
// replaces it. An [Item] is an element's place in the tree with its FHIR type and the sibling that holds a primitive's extensions, or a System value.
// $this, $index and variables belong to the machine's frame, which lambdas replace and restore.
//
// Errors are *fhir.Error of KindInvalid, or of KindNotSupported where an interface is missing. The text names the place in the expression and what was
// expected there, and nothing of the resource.
//
// Decisions are in DECISIONS.md; figures are beside the benchmarks (bench_test.go, compare).
package fhirpath
