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
// # Decisions
//
// 1. Stored numbers are points (2026-11-23). Context: R4 says that "the way search parameters operate in resources is not affected by the
// precision of the number in the resource". Choice: a stored 100 is the point 100; only what is asked for has a range. Consequence: gt100
// does not find 100, and 100 finds 100.4.
//
// 2. 1e2 is [95, 105) (2026-11-23). Context: R4 calls 1e2 one significant digit, which would be [50, 150), and gives the range 95 to 105. Choice:
// the range it gives; a single digit with an exponent counts as two. Consequence: every example of the specification holds.
//
// 3. Codes compare without case (2026-11-23). Context: "When in doubt, servers SHOULD treat tokens in a case-insensitive manner". Choice: codes
// are lower case in entries and queries; systems and UCUM units are as written. Consequence: gender=Male finds male; two identifiers that
// differ in case alone are not told apart.
//
// 4. ge and le by the letter of the table (2026-11-23). Context: servers read "greater or equal" in several ways for periods. Choice: "the range
// above intersects, or the search value fully contains": a period that only ends within the day named is not found by ge.
// testdata/search/date.txt fixes it.
//
// 5. ne asks each value (2026-11-23). Context: a resource with several values, or none. Choice: ne finds a resource with a value that differs; one
// without any is not found, as servers do; :not, which R4 defines over the resource, finds both.
//
// 6. Words, not phrases (2026-11-23). Context: _text and _content want a search engine. Choice: whole folded words with AND, OR, NOT and
// parentheses; quotes are refused. Consequence: exact, indexed by the engines as any string, some five entries for a vital sign.
//
// 7. near is a polygon of strips (2026-11-23). Context: "Servers may search using various techniques that might have differing accuracies".
// Choice: the circle cut into 32 strips of latitude. Consequence: engines need no geometry; everything in the circle is found, and close to
// its edge a little more.
//
// 8. Hierarchies of references to 12 levels (2026-11-23). Context: :below on references follows partOf transitively, and expressions are finite.
// Choice: a disjunction of 12 chains. Consequence: deeper parts are not found; no real organization is known to go there.
//
// 9. Canonicals are followed in two steps (2026-11-23). Context: a canonical names a resource by url and version; Refers and Referred follow type
// and id. Choice: Parse looks up what can be named (ParseOptions.Canonicals), at most 2,000 resources of a type: a chain becomes a comparison with
// their names, _has the ids of those whose names occur. "url|version" names every resource of both; "url" the latest version stored of each type,
// as CompareVersions orders them, whatever its status, and what has no version comes before all that have one. Consequence: exact on any engine
// and under Match, at the cost of the first step; past its bound, refused with search-too-costly. An order through canonicals is not served.
//
// 10. A code of R4 keeps R4's meaning (2026-11-23). Context: implementation guides restate R4's parameters, US Core 72 of its 74, and a site may
// give one of these codes to elements of its own. Choice: one whose expression finds the same on the base, or that names R4's as derivedFrom,
// is accepted and R4's serves it; any other is refused with parameter-conflict. Consequence: what is accepted is served.
//
// 11. What :missing means (2026-11-23). Context: R4 asks for "a value for the parameter (which usually equates to ... the relevant element)", and of
// simple data types that a value is more than extensions. Choice: a value is an element with anything in it outside of extensions, of a data type
// that the search type is used with, whether it can be compared or not: a reference to a contained resource, or with a display alone, a quantity
// without a number, a date that is none. Not: extensions alone, performedString for a date. Composites have no modifiers, as R4 says. Consequence:
// such a value has an entry under a derived name; testdata/search/missing.txt fixes it.
//
// 12. A name is compared from its beginning (2026-11-23). Context: "For robust search, servers should search the parts of a family name
// independently", so that "Quinones" finds "Carreno Quinones". Choice: each of the elements family, given ... from its beginning, as any string;
// :contains finds what stands within. Consequence: every search of a name reads one stretch of an index.
package search
