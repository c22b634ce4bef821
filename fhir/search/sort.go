package search

import (
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// SortValue returns the value that a resource has for s, which must have no Chain: of its entries for s.Param the least value ascending,
// the greatest descending (R4 search, 3.1.1.5.1: "the item in the set of multiple parameters that comes earliest in the specified sort
// order"). It is Missing where the resource has no such entry. SortByID is not asked here: the engine has the id at hand.
func SortValue(entries []Entry, s Sort) SortKey {
	key := SortKey{Missing: true}
	for i := range entries {
		if entries[i].Param == s.Param {
			key.merge(SortField(&entries[i]), s.Desc)
		}
	}
	return key
}

// SortField returns what one entry contributes to an order. It is the same for both directions, so that one index serves them: Lo of a
// date, number or quantity, the folded text of a string, the code of a token, "Type/id" or the URI of a reference, the URI of a uri. The
// fields are told apart by which are set; a composite sorts by its first part.
func SortField(e *Entry) string {
	switch {
	case e.Lo != "":
		return e.Lo
	case e.Folded != "":
		return e.Folded
	case e.Code != "":
		return e.Code
	case e.ID != "":
		return e.Type + "/" + e.ID
	case e.URI != "":
		return e.URI
	case len(e.Parts) > 0:
		return SortField(&e.Parts[0])
	}
	return ""
}

// ChainSortValue returns the value that the resource of key has for s, with or without a Chain, and for SortByID. A chain's value is the
// least (greatest) of those of the resources that Chain.Param points to, by type and id or by a canonical; targets that do not exist or are
// deleted have none.
func ChainSortValue(key fhir.Key, entries []Entry, s Sort, lookup Lookup) SortKey {
	if s.Chain == nil {
		if s.Param == SortByID {
			return SortKey{Value: key.ID}
		}
		return SortValue(entries, s)
	}
	best := SortKey{Missing: true}
	if lookup == nil {
		return best
	}
	end := Sort{Param: s.Param, Desc: s.Desc}
	for i := range entries {
		e := &entries[i]
		if e.Param != s.Chain.Param {
			continue
		}
		if e.URI != "" {
			if k := s.Chain.Named.Key(e.URI); !k.Missing {
				best.merge(k.Value, s.Desc)
			}
		}
		if e.Type != s.Chain.Target || e.ID == "" {
			continue
		}
		target := fhir.Key{Type: e.Type, ID: e.ID}
		found, ok := lookup.Entries(target)
		if !ok {
			continue
		}
		if k := ChainSortValue(target, found, end, lookup); !k.Missing {
			best.merge(k.Value, s.Desc)
		}
	}
	return best
}

// merge makes k the earlier of itself and value in the direction.
func (k *SortKey) merge(value string, desc bool) {
	if k.Missing || desc && value > k.Value || !desc && value < k.Value {
		*k = SortKey{Value: value}
	}
}

// Compare orders two values of one Sort: by bytes in the direction, and Missing last in both.
func (k SortKey) Compare(o SortKey, desc bool) int {
	switch {
	case k.Missing && o.Missing:
		return 0
	case k.Missing:
		return 1
	case o.Missing:
		return -1
	case desc:
		return strings.Compare(o.Value, k.Value)
	}
	return strings.Compare(k.Value, o.Value)
}

// Compare orders two rows of one Query: by its sorts, then by resource type and id. Reverse is not looked at.
func (p Position) Compare(o Position, sorts []Sort) int {
	for i := range sorts {
		if i >= len(p.Sort) || i >= len(o.Sort) {
			break
		}
		if c := p.Sort[i].Compare(o.Sort[i], sorts[i].Desc); c != 0 {
			return c
		}
	}
	return p.Key.Compare(o.Key)
}
