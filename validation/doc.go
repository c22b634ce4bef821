// Package validation decides whether a resource may be stored. It finds every fault at once, each as an issue with a stable id, a text for a person and
// the FHIRPath of the element.
//
// # Design
//
// A [Validator] runs phases over one parsed resource, each in a file of its own. The elements' phase (element.go, primitive.go) walks the resource with its
// definitions and words faults best. It calls the narrative's phase (narrative.go) for each XHTML value. The shape's phase (shape.go) is gojsonschema with
// the type's definition in the official JSON Schema; the model's phase (model.go) is google/fhir/go's strict reading. They add what they alone know, and
// check the walk. The site's phase (site.go) applies the operator's own JSON Schemas.
//
// A finding names a node, or a child of it that is missing; expressions are made at the end. A library's message is dropped where a finding is about the
// same element (walker.known), or where R4 does not share the fault (tolerated.go). The libraries are given stand-ins for most primitive values
// (standin.go), and a form in which they found nothing is not read again (form.go). No text contains a value of the resource.
//
// A Bundle that asks for interactions is not stored: its envelope, without the resources that it carries, is walked alone (envelope.go).
//
// Decisions are in DECISIONS.md.
package validation
