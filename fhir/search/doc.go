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
// Encodings are printable ASCII. Numbers: a sign letter, a four-digit exponent and the significant digits. Moments: the digits of UTC without
// zeros at the end. Every range is half-open, and a point p is [p, p + "!"), because "!" sorts below all that can follow an encoding.
//
// What a modifier needs beyond the parameter's own entries is an entry of its own under a derived name: ":text" strings of tokens,
// ":identifier" tokens of references, ":of-type" tokens of identifiers, ":unit" quantities by the text of their unit, ":ucum" quantities in
// canonical units, ":present" for :missing that there is a value which has no entry. "_text" and "_content" are words.
//
// Decisions are in DECISIONS.md.
package search
