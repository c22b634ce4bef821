// Package fhirpath is the language of FHIR's own rules: it parses an expression once into an immutable Program, checks its paths against the
// definitions, and evaluates it over the tree of a resource (fhir.Node) without copying that. Search parameters, invariants and patches stand
// on it.
package fhirpath
