// Package fhir is the vocabulary that every other package speaks: keys, resources as parsed JSON trees, issues, errors, decimals and
// partial dates. It knows no resource type and imports only the standard library.
//
// # Design
//
// A resource is its bytes and a flat tree over them (Tree, Node). The tree is made once, by Parse, and read by search extraction, FHIRPath,
// patch and validation alike. Nothing in it is copied out of the buffer unless an escape sequence forces it, so numbers keep their digits
// and strings their spelling.
//
// # Decisions
//
// 1. Flat preorder tree (2026-11-23). Context: encoding/json into map[string]any loses order, duplicates and digits, and allocates per
// value. Choice: one slice of 32-byte nodes in document order; a child is the next node, a sibling is found by an index. Consequence: a
// parse costs two allocations however large the resource is, and a subtree is usable as a resource of its own (a Bundle's entry is not
// parsed again).
package fhir
