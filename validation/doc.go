// Package validation says whether a resource may be stored: it finds every fault at once, each as an issue with a stable id, a text for a
// person and the FHIRPath of the element.
//
// # Design
//
// A Validator runs phases over one parsed resource, each in a file of its own. The elements' phase (element.go, primitive.go) walks the resource
// with its definitions and is the one that can say best what is wrong. The narrative's phase (narrative.go) is called from it for each XHTML
// value. The shape's phase (shape.go) is gojsonschema with the type's own definition in the official JSON Schema; the model's phase (model.go) is
// google/fhir/go's strict reading. They add what they alone know, and are the check on the walk. The site's phase (site.go) holds resources to
// the operator's own JSON Schemas.
//
// A finding names a node, or a child of it that is missing; expressions are made at the end. A library's message is dropped where a finding is
// about the same element (walker.known), or where R4 does not share the fault (tolerated.go). The libraries are given stand-ins for most primitive
// values (standin.go), and a form that they found nothing in is not read again (form.go). No text holds a value of the resource.
//
// A Bundle that asks for interactions is not stored: its envelope, without the resources that it carries, is walked alone (envelope.go).
//
// # Decisions
//
// 1. Three readings of one resource (2026-11-23). Context: gojsonschema and google/fhir/go are asked for; each misses faults (cardinality inside
// of contained resources, siblings of different length), both word them for programmers, and google/fhir stops at the first part it can't
// read. Choice: a walk over the definitions first, at 340 MB/s or 2 % of the libraries' cost, whose findings take precedence; both libraries still
// run on everything. Consequence: messages with the nearest valid name and an exact path, no fault told twice; in the 54 cases of
// the official validator's suite that can be compared the places of all 23 errors of this kind agree, and 710 of the 715 official examples pass
// (the others are wrong, by name, in examples_test.go).
//
// 2. Nested resources are cut out of the schema (2026-11-23). Context: contained, Bundle.entry.resource and parameters are a choice of 146 in
// the official schema; gojsonschema tries all, and reports one at random. Choice: ResourceList becomes the empty schema, and each nested resource
// is validated with its own type's. Consequence: cost in proportion to size, and paths that are right.
//
// 3. Schemas are compiled when needed (2026-11-23). Context: all 146 types are 20 MB and 90 ms compiled together, 1 MB and 3 ms each by
// themselves, since datatypes are shared only within a compilation. Choice: one by one up to 16 types, then all others at once. Consequence: the
// first write pays 11 ms, a server of few types 16 MB, and none more than 40 MB.
//
// 4. Stand-ins (2026-11-23). Context: google/fhir refuses leap seconds, escaped or unevenly spaced base64, nulls that pad lists of dates, and
// goes no further; its copying and gojsonschema's regular expressions make long texts dear. Choice: the walk decides on each primitive, by checks that
// a fuzz target holds to R4's regular expressions, and the libraries get a short valid value of the type in its place. Consequence: no valid
// record is refused, faults behind a bad value are still found, and a Binary of 8 MB costs what a small one costs beside its scan.
//
// 5. Forms (2026-11-23). Context: google/fhir takes 190 us and gojsonschema 55 us for a resource, three quarters of a validated write. With the
// stand-ins in place, the 20,885 resources of 77 synthetic patients have 193 different forms. Choice: what the libraries see is the form alone, for each
// write, so their verdict on it holds for all that have it; a form in which they found nothing is remembered by its hash, of two generations
// of 16,384. What they could decide by a value (codes of bindings, URIs, the type that a reference names) stays in the form; a test
// and a fuzz target hold that both take every other value which the walk takes. Consequence: 8.3 us a resource on usual traffic instead of the
// libraries' 241, and theirs on forms never met.
//
// 6. Narrative (2026-11-23). Context: a narrative is shown by browsers, which read it as HTML whatever it is. Choice: an allow-list of elements,
// comments only where XML and HTML agree on their end, no event attributes, no URLs or styles that run, character references undone first; at every
// level, Off included. Consequence: what passes runs nothing; narratives with deprecated elements (font, u) are refused, as R4 asks.
//
// 7. The walk finds all that gojsonschema finds (2026-11-23). Context: gojsonschema keeps about a kilobyte for each fault and google/fhir an error
// value, so that 50 MB of small faults would fill the memory. Choice: the walk knows cardinality, shapes, primitives and the codes of required
// bindings (from the value sets, without the codes that only group others), and no library runs once 100 faults are found; FuzzValidate asserts that
// no shape-* issue is ever told. Consequence: memory is bounded by the resource, and a library's message that the walk lacks is a defect of the walk.
//
// 8. The budget (2026-11-23). BenchmarkBase runs both libraries alone, fed with bytes, over the same 86 resources; Base costs no more when it
// meets each form for the first time, the walk and the paths included, because the schema's values are built from the tree instead of
// parsed again. ValidateMany spreads a bundle over the processors.
package validation
