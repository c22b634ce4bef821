// Package patch changes resources by JSON Patch (RFC 6902) and by FHIRPath Patch (http://hl7.org/fhir/R4/fhirpatch.html).
//
// # Design
//
// Both languages change one structure: value, a JSON document of which only those objects and arrays are opened that an operation enters.
// All else stays a node of the parsed tree and is written back byte for byte, so members keep their order and decimals their digits.
//
// JSON Patch finds its places by JSON Pointer. FHIRPath Patch evaluates each path on the tree that the operations before it have made, finds
// the element's place in the definitions, and keeps a primitive together with its "_" sibling.
//
// Diff makes a FHIRPath Patch of two resources: it walks both by their definitions, adds before it deletes, and writes values that Parameters have no
// value[x] for as parts.
//
// Limits bound the number of operations, the depth of the result and the bytes that copies add. A patch has one limit on the steps of all its operations:
// in a JSON Patch the values that they visit, compare, copy or move, in a FHIRPath Patch its paths, the parts of its values, and the resource that each
// operation reads.
//
// A patch that cannot be understood is KindInvalid, one that cannot be applied KindUnprocessable. Both name the operation by its index and
// path. Nothing is changed then: a patch is applied as a whole or not at all.
package patch
