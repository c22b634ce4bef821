package interaction

import (
	"fmt"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
)

// TestWhatIsStoredIsFound stores a group of very many members, and is refused a resource that could not be found by all of its values.
func TestWhatIsStoredIsFound(t *testing.T) {
	s, ctx := open(t, Options{}), t.Context()
	values := make([]string, 100)
	for i := range values {
		values[i] = fmt.Sprintf(`{"system":"s","code":"c%d"}`, i)
	}
	codes := strings.Join(values, ",")
	r := resource(t, `{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[%s]},"valueCodeableConcept":{"coding":[%s]}}`, codes, codes)
	_, err := s.Update(ctx, r.Key(), r, Conditions{})
	check(t, err, fhir.KindTooLarge, fhir.IDIndexLimit)
	_, err = s.Create(ctx, "Observation", r, "")
	check(t, err, fhir.KindTooLarge, fhir.IDIndexLimit)
	if got := find(t, s, "Observation").names(); len(got) != 0 {
		t.Errorf("stored all the same: %v", got)
	}

	n := 240_000
	if testing.Short() {
		n = 20_000
	}
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"entity":{"reference":"Patient/p%d"},"period":{"start":"2020-01-01"}}`, i)
	}
	put(t, s, "%s", `{"resourceType":"Group","id":"g","type":"person","actual":true,"member":[`+b.String()+`]}`)
	for _, i := range []int{0, n / 2, n - 1} {
		if got := find(t, s, fmt.Sprintf("Group?member=Patient/p%d&_summary=true", i)).names(); len(got) != 1 {
			t.Errorf("the group is not found by member %d of %d: %v", i, n, got)
		}
	}
	if got := find(t, s, fmt.Sprintf("Group?member=Patient/p%d&_summary=true", n)).names(); len(got) != 0 {
		t.Errorf("found by who is no member: %v", got)
	}
}
