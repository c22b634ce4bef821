package search

// Unsupported is a part of R4 search that the server does not serve, and why. Asking for it is an error that gives the reason; the
// CapabilityStatement and the README are made from this data.
type Unsupported struct {
	Name   string // as a client would write it
	URL    string // of the SearchParameter; "" where there is none
	Reason string
}

// functionalLists is refused wherever the id of a list starts with a dollar sign. List/$find finds the list that a functional one would be.
var functionalLists = Unsupported{"_list=$current-allergies", "", "functional lists are not kept here; List/$find finds a patient's current list of a function, whose id _list takes"}

var unsupported = []Unsupported{
	functionalLists,
	{"_query", "http://hl7.org/fhir/SearchParameter/Resource-query", "named queries are defined by a server, and none are defined here"},
	{"_score", "", "matches are not ranked"},
}

// UnsupportedList returns what is not served. The slice must not be changed.
func UnsupportedList() []Unsupported { return unsupported }
