// Package search says what a FHIR search means: it turns resources into index entries and URLs into queries, above any engine
// (https://hl7.org/fhir/R4/search.html).
//
// # Design
//
// Parameters are the search parameters of R4 and those that clients add. Extract evaluates their FHIRPath expressions on a resource and turns
// what they yield into entries, by rules keyed by search type and data type; each search type has one file (token.go, date.go ...) that holds
// both its rules and what its values compare with. Parse turns the parameters of a URL into a Request, whose Where is an expression over
// entries. Engines see bytes: values are encoded so that comparing encodings compares values, and Match is the one definition of what an
// expression means.
//
//	Observation.effectiveDateTime "2014-05"   {Param: "date", Lo: "20140501", Hi: "20140601"}
//	Observation?date=ge2014                   Or{Some{date, Lo >= "20140101"}, Some{date, Hi > "20150101"}}
//
// Encodings, and the names of derived entries such as ":text" and ":missing", are described in DECISIONS.md, with the decisions.
package search
