package interaction

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

func TestOnlyWhatStoresSaysThatNothingWasStored(t *testing.T) {
	late := fmt.Errorf("reading: %w", context.DeadlineExceeded)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"an operation that reads":  {(&Request{Code: CodeOperation, Operation: &Operation{Name: "graphql"}}).failure(fhir.Key{}, late), "the operation $graphql took longer than the server allows; ask for less at once"},
		"an operation that writes": {(&Request{Code: CodeOperation, Operation: &Operation{Name: "meta-add", Writes: true}}).failure(fhir.Key{}, late), "the request timed out; nothing was stored"},
		"a search":                 {(&Request{Code: CodeSearchType}).failure(fhir.Key{}, late), "the search-type took longer than the server allows; ask for less at once"},
		"a create":                 {(&Request{Code: CodeCreate}).failure(fhir.Key{}, late), "the request timed out; nothing was stored"},
		"$everything":              {failure("everything", fhir.Key{}, late), "the everything took longer than the server allows; ask for less at once"},
	} {
		if fhir.KindOf(c.err) != fhir.KindUnavailable || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", name, c.err, c.want)
		}
	}
}
