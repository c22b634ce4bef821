package patch

import (
	"strconv"
	"strings"

	"github.com/fhirgate/fhirgate/fhir"
)

// parsePointer reads a JSON Pointer (RFC 6901).
func parsePointer(s string) (tokens []string, ok bool) {
	if s == "" {
		return nil, true
	}
	if s[0] != '/' {
		return nil, false
	}
	for token := range strings.SplitSeq(s[1:], "/") {
		for i := 0; i < len(token); i++ {
			if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
				return nil, false
			}
		}
		if strings.IndexByte(token, '~') >= 0 {
			token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		}
		tokens = append(tokens, token)
	}
	return tokens, true
}

// index reads a token as the index of an array: digits without leading zeros.
func index(token string) (int, bool) {
	if token == "" || token[0] == '0' && token != "0" {
		return 0, false
	}
	for i := 0; i < len(token); i++ {
		if token[i] < '0' || token[i] > '9' {
			return 0, false
		}
	}
	i, err := strconv.Atoi(token)
	return i, err == nil
}

func absent(depth int) error {
	return unprocessable(fhir.IDPatchPath, "step "+strconv.Itoa(depth+1)+" of the path leads to nothing")
}

// child returns the position that a token names in v, which is open: -1 for an absent member, and for an array any index, which may be past
// its end.
func (v *value) child(token string) (int, error) {
	switch v.kind {
	case fhir.Object:
		return v.find(token), nil
	case fhir.Array:
		if token == "-" {
			return len(v.kids), nil
		}
		i, ok := index(token)
		if !ok {
			return 0, unprocessable(fhir.IDPatchIndex, "an array is entered by an index, 0 or greater without leading zeros")
		}
		return i, nil
	}
	return 0, unprocessable(fhir.IDPatchPath, "the path goes on below a value that is neither an object nor an array")
}
