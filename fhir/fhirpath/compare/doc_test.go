// Package compare runs the engine side by side with another one for Go, github.com/gofhir/fhirpath v1.0.0. It is a module of its own, so that the other
// engine never becomes a dependency of the product:
//
//	cd fhir/fhirpath/compare && go test -bench . -benchmem
//
// The other engine is given a context that was made once, since it parses the resource to raw JSON when its context is made: the figures compare evaluation
// alone. One Patient, time and allocations, on two cores (Xeon, Go 1.26):
//
//	Patient.name.given                        0.20 us   0     10.1 us   63
//	Patient.telecom.where(...).value          0.37 us   0     19.8 us  118
//	Patient.name.where(...).first()... = ...  0.36 us   0     14.1 us  107
//	Patient.descendants().count()              3.7 us   0     82.5 us  630
//	(1 + 2) * 3 - 4 / 2                       0.53 us   2      3.3 us   47
//	compile all search parameters once         3.2 ms         22.0 ms
//
// Of 693 cases of the official suite with a Boolean result and a JSON input, this engine passes 689 and the other 557. Of the four, three need an extension
// that the observation's JSON lacks and its XML has, and one asks for a predicate; the suite's own run in fhirpath passes them.
package compare
