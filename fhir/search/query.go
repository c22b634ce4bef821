package search

import (
	"time"

	"github.com/fhirgate/fhirgate/fhir"
)

// SortByID is the Sort.Param that sorts by the resource's id.
const SortByID = "_id"

// Sort is one key of an order. Each resource has for a parameter the value SortValue gives: of several values the least ascending and the
// greatest descending. Resources without a value come last in both directions.
type Sort struct {
	Param string
	Desc  bool
	// Chain, where not nil, sorts by Param of the resource of type Chain.Target that the reference parameter Chain.Param points to (the
	// one with the least, or descending the greatest, value).
	Chain *SortChain
}

// SortChain names the reference that a chained sort follows.
type SortChain struct {
	Param  string
	Target string
	// Named has the values of the resources of Target that canonicals of Param name; nil where Param reads none.
	Named *NamedValues
}

// NamedValues are the values by which canonicals sort: those of the resources that they name.
type NamedValues struct{ keys map[string]SortKey }

// NewNamedValues returns the values of canonicals as they are written, "url" or "url|version".
func NewNamedValues(values map[string]string) *NamedValues {
	n := &NamedValues{keys: make(map[string]SortKey, len(values))}
	for name, v := range values {
		n.keys[name] = SortKey{Value: v}
	}
	return n
}

// Key returns the value of the resources that a canonical names; Missing where there is none.
func (n *NamedValues) Key(canonical string) SortKey {
	if n != nil && canonical != "" { // an entry without one names nothing
		if k, ok := n.keys[canonical]; ok {
			return k
		}
	}
	return SortKey{Missing: true}
}

// Query asks for resources in an order. The order is by Sort, then by resource type, then by id (bytes), and so is total.
type Query struct {
	// Types are the resource types searched, sorted and without duplicates; at least one.
	Types []string
	// Where is the condition; nil accepts all.
	Where Expr
	Sort  []Sort
	// After makes the answer start behind this position; nil starts at the beginning.
	After *Position
	// Reverse walks backwards: rows come in the opposite of the order, starting before After (at the end where After is nil).
	Reverse bool
	// Limit is the greatest number of rows; 0 for no limit.
	Limit int
}

// SortKey is the value a resource has for one Sort; Missing where it has none.
type SortKey struct {
	Value   string
	Missing bool
}

// Position is a place in a Query's order: the sort keys and the key of a row. It need not exist (the row may have been deleted since).
type Position struct {
	Sort []SortKey // one for each of Query.Sort
	Key  fhir.Key
}

// Row is one match.
type Row struct {
	Position
	Version int64
	Updated time.Time
}

// Plan says how an engine ran a query.
type Plan struct {
	// Steps tell in order what was read, for people: "scan Observation code+date = ...". Values are left out: they may be patient data.
	Steps []Step
	// Unindexed names the conditions that no index served, which were tried row by row on what the indexes left.
	Unindexed []string
	// Examined counts index rows read, Fetched counts resources (or their entries) looked up, Returned the rows.
	Examined, Fetched, Returned int
}

// Step is one step of a Plan.
type Step struct {
	Kind   string // "range", "merge", "union", "probe", "sort", "scan", "chain"
	Index  string // what it reads, by parameter: "Observation: code+date"
	Detail string
	Rows   int
}
