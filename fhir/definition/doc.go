// Package definition holds the R4 (4.0.1) definitions as an immutable Registry: resource types and datatypes with their elements, search
// parameters, compartments, operations, terminology, JSON Schemas, and the definitions themselves as resources.
//
// Everything that fhirgate knows about a resource type it knows from here; no other package has code or tables of types.
//
// # Design
//
// The official files are 90 MB of JSON. fhir/definition/generate reads them once, at development time, and writes two files that are
// embedded:
//
//   - r4/index.zst is the registry in the form in which it is used: types, elements, bindings, invariants, parameters, compartments and
//     operations as rows of varints over one table of strings, and the directory of the other file. R4 decodes it at first call.
//   - r4/documents.zst has the 4,474 definitions as minified JSON without narrative and the 680 definitions of the JSON Schema, in zstd
//     frames of 256 KB. Definition and Schema unpack the one frame that they need.
//
// Terminology is compiled from these documents when a code system or value set is first asked for, and kept: 11 MB if all of them are.
//
// To make the files anew: go generate ./fhir/definition. A test fails where they differ from what the generator makes.
//
// # Decisions
//
// 1. A decoded index, not generated Go (2026-11-23). Context: a Go literal for 682 types and 4,734 elements compiles slowly, cannot
// be reviewed and cannot be compressed; parsing the JSON at start takes seconds. Choice: rows of varints in one zstd frame, 185 KB, decoded
// in 3.3 ms into 3 MB (BenchmarkDecode). Consequence: encoder (generate/) and decoder (decode.go) must be changed together; the decoder
// checks that nothing is left over.
//
// 2. Backbone elements are types (2026-11-23). Context: contentReference lets an element reuse the content of another, recursively
// (Questionnaire.item.item), and FHIRPath and validation want to ask one question of datatypes and backbone elements alike. Choice: each
// element with content of its own is a Type named by its path, and a contentReference is an element of that type. Consequence: constraints
// stated on a backbone element are the type's invariants, so that they follow the reference; Element.Invariants has the others. Every
// invariant is reached exactly once by checking a value against its element and its type.
//
// 3. Inherited elements are shared and keep the path of their origin (2026-11-23). Context: 146 types repeat the eight elements of
// DomainResource. Choice: elements that say the same are one Element whose Path is ElementDefinition.base.path, "Resource.id".
// Consequence: compare elements by pointer; a message's path comes from the resource, not from the definition.
//
// 4. Resource.id is an id (2026-11-23). Context: for the FHIRPath type System.String the definitions name the FHIR type in an extension,
// which says string for Resource.id; the page of Resource, its JSON Schema and its regular expression say id. Choice: id. Consequence:
// FHIRPath sees Patient.id as id, which is a string too by its Base. TestResourceIDIsAnID fixes it.
//
// 5. Three answers of terminology (2026-11-23). Context: SNOMED CT, LOINC, UCUM, MIME types, languages and currencies are not in the
// definitions, and many value sets mix them with systems that are. Choice: a value set is the codes known to be in it and the systems it
// is open for; ValueSetContains answers yes, no or "can't be told" a code. Consequence: 1,212 of the 1,316 value sets can be expanded, and
// all required bindings but four are decided here (mimetypes, ucum-units, currencies, and a LOINC answer list). Callers must not take
// "can't be told" for no.
//
// 6. The JSON Schema loses its descriptions (2026-11-23). Context: they are three quarters of it, and a schema validator keeps them in
// memory. Choice: the generator drops them. Consequence: the schemas accept and refuse the same documents.
//
// 7. Documents are not cached (2026-11-23). Context: a definition is large, and used to compile something (a profile, a value set) that is
// kept. Choice: Definition parses at every call, some 0.25 ms. Consequence: callers keep what they make of it, not the definition.
package definition
