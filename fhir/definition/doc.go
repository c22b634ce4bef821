// Package definition holds the R4 (4.0.1) definitions as an immutable [Registry]: resource types and datatypes with their elements, search parameters,
// compartments, operations, terminology, JSON Schemas, and the definitions themselves as resources.
//
// Everything that fhirgate knows about a resource type comes from here; no other package has code or tables for types.
//
// # Design
//
// The official files are 90 MB of JSON. fhir/definition/generate reads them at development time and writes two files that are embedded:
//
//   - r4/index.zst is the registry as it is used: types, elements, bindings, invariants, parameters, compartments and operations as rows of varints over
//     one table of strings, and the directory of the other file. [R4] decodes it at its first call.
//   - r4/documents.zst has the 4,474 definitions as minified JSON without narrative, and the 680 definitions of the JSON Schema, in zstd frames of 256 KB.
//     Definition and Schema unpack the one frame that they need.
//
// Code systems and value sets are compiled from these documents when they are first asked for, and kept: 11 MB if all of them are.
//
// To rebuild the files: go generate ./fhir/definition. A test fails where they differ from the generator's output. Decisions are in DECISIONS.md.
package definition
