// Package xhtml decides what a narrative may hold (https://hl7.org/fhir/R4/narrative.html#xhtml): one div of well-formed XHTML, of the elements
// and attributes of basic HTML formatting, with nothing that a browser would run.
//
// One scanner reads the markup. [Check] says what is wrong with a narrative; validation refuses resources by it, and FHIRPath's htmlChecks(), which
// is R4's invariants txt-1 and txt-2, is true where it finds no fault. [Links] yields the links, which a transaction rewrites.
//
// Decisions are in DECISIONS.md.
package xhtml
