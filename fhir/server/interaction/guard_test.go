package interaction

import (
	"fmt"
	"strings"
	"testing"
)

func TestConditionalWritesThatCrossMakeOne(t *testing.T) {
	c := &crossed{Store: openStore(t)}
	s, ctx := openOn(t, c, Options{}), t.Context()
	const person = `{"resourceType":"Patient","identifier":[{"system":"urn:T","value":"A%[1]s"},{"system":"urn:U","value":"B%[1]s"}],"gender":"male","birthDate":"%[1]s"}`
	create := func(n, condition string) error {
		_, err := s.Create(ctx, "Patient", resource(t, person, n), condition)
		return err
	}
	update := func(n, condition string) error {
		_, err := s.UpdateConditional(ctx, "Patient", resource(t, person, n), condition, Conditions{})
		return err
	}
	bundled := func(n, condition string) error {
		_, err := transact(t, s, request("POST", "Patient", "", fmt.Sprintf(person, n), `"ifNoneExist":"`+condition+`"`))
		return err
	}
	n := 0
	for what, conditions := range map[string][2]string{
		"another spelling of a code":         {"birthdate=N&gender=male", "birthdate=N&gender=MALE"},
		"another spelling of an identifier":  {"identifier=urn:T|AN", "identifier=urn:T|aN"},
		"another order of values":            {"birthdate=N&gender=male,other", "gender=other,male&birthdate=N"},
		"an identifier and more":             {"identifier=urn:T|AN", "identifier=urn:T|AN&gender=male"},
		"an identifier with a system or not": {"identifier=urn:T|AN", "identifier=AN"},
		"one identifier of several":          {"identifier=urn:T|AN", "identifier=urn:T|x,urn:T|AN"},
		"two identifiers of one person":      {"identifier=urn:T|AN", "identifier=urn:U|BN"},
		"an identifier and none":             {"identifier=urn:T|AN", "birthdate=N&gender=male"},
	} {
		for how, write := range map[string][2]func(n, condition string) error{
			"creates": {create, create}, "updates": {update, update}, "a create and an update": {create, update}, "a create and a transaction": {bundled, create},
		} {
			n++
			id := fmt.Sprint(1900 + n)
			one, other := c.cross(
				func() error { return write[0](id, strings.ReplaceAll(conditions[0], "N", id)) },
				func() error { return write[1](id, strings.ReplaceAll(conditions[1], "N", id)) })
			if one != nil || other != nil {
				t.Errorf("%s, %s: %v, %v", what, how, one, other)
			}
			if found := find(t, s, "Patient?identifier=urn:T|A"+id).names(); len(found) != 1 {
				t.Errorf("%s, %s: %d resources", what, how, len(found))
			}
		}
	}
}

func TestNamesTellConditionsApart(t *testing.T) {
	s := open(t, Options{})
	name := func(query string) string {
		c, err := s.parseCondition(t.Context(), "Patient", query)
		if err != nil {
			t.Fatal(err)
		}
		return c.name
	}
	for _, same := range [][]string{
		{"gender=male&name=x", "name=X&gender=MALE"}, {"name=a,b", "name=b,a", "name=b,a,a"}, {"_id=a,b", "_id=b,a"},
		{"organization.name=x,y", "organization.name=y,x"}, {"_has:Observation:subject:status=final", "_has:Observation:subject:status=FINAL"},
	} {
		for _, query := range same {
			if name(query) != name(same[0]) {
				t.Errorf("%s and %s have the names %s and %s", query, same[0], name(query), name(same[0]))
			}
		}
	}
	seen := map[string]string{}
	for _, query := range []string{"name=x", "name=y", "name:exact=x", "name=x,y", "name=x&name=y", "gender:not=male", "gender=male", "_id=a", "_id=a,b", "_id=b",
		"organization.name=x", "organization.name=y", "general-practitioner:Organization.name=x", "birthdate=2020", "birthdate=lt2020", "birthdate=ge2020",
		"_has:Observation:subject:status=final", "_has:Observation:patient:status=final", "_has:Condition:subject:code=final"} {
		if other, twice := seen[name(query)]; twice {
			t.Errorf("%s and %s have one name", query, other)
		}
		seen[name(query)] = query
	}
}
