package search

// Unsupported is a part of R4 search that the server does not serve, and why. Asking for it is an error that gives the reason; the
// CapabilityStatement and the README are made from this data.
type Unsupported struct {
	Name   string // as a client would write it
	URL    string // of the SearchParameter; "" where there is none
	Reason string
}

// throughCanonicals is the name of an order that goes on from a canonical.
const throughCanonicals = "_sort through canonicals"

// insideContained is the name of a chain over a reference to a contained resource.
const insideContained = "chains into contained resources"

var unsupported = []Unsupported{
	{"_query", "http://hl7.org/fhir/SearchParameter/Resource-query", "named queries are defined by a server, and none are defined here"},
	{"_filter", "http://hl7.org/fhir/SearchParameter/filter", "use the parameters' own comparisons, chains and _has"},
	{"_contained", "", "contained resources are not found on their own; only _contained=false is accepted"},
	{"_containedType", "", "contained resources are not found on their own; only _containedType=container is accepted"},
	{insideContained, "", "a chain goes on to resources that stand on their own; in R4 it is evaluated inside contained resources as well"},
	{"_score", "", "matches are not ranked"},
	{throughCanonicals, "", "a canonical names a resource by its url, and orders follow references by type and id alone; chains, _has, _include and _revinclude follow both"},
}

// UnsupportedList returns what is not served. The slice must not be changed.
func UnsupportedList() []Unsupported { return unsupported }
