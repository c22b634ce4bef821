package fhir

import "strings"

// Key names a resource: its type and its logical id, as in "Patient/123". Keys are comparable.
type Key struct {
	Type string
	ID   string
}

// String returns the relative reference "Type/id".
func (k Key) String() string { return k.Type + "/" + k.ID }

// Compare orders keys by type, then by the bytes of the id: the order of every unsorted answer.
func (k Key) Compare(o Key) int {
	if c := strings.Compare(k.Type, o.Type); c != 0 {
		return c
	}
	return strings.Compare(k.ID, o.ID)
}

// MaxIDLength is the greatest length of a logical id (R4 datatypes, id).
const MaxIDLength = 64

// ValidID reports whether s is a logical id: 1 to 64 of A-Z, a-z, 0-9, "-" and "." (R4 datatypes, id).
func ValidID(s string) bool {
	if len(s) == 0 || len(s) > MaxIDLength {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}
