// Package compare runs the engine side by side with another one for Go, github.com/gofhir/fhirpath v1.0.0. It is a module of its own so that
// the other engine never enters the product's dependencies:
//
//	cd fhir/fhirpath/compare && go test -bench . -benchmem
//
// The figures are in the documentation of fhir/fhirpath.
//
// # Decisions
//
//  1. The other engine is given a context that was made once (2026-11-23). Context: it parses a resource to raw JSON when its context is
//     made. Choice: parsing is left out of both sides. Consequence: the figures compare evaluation alone.
package compare
