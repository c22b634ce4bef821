package fhir

import "testing"

// Commas stand between members and items, and nowhere else: a string that ends in a bracket, a colon or a comma is a value like any other.
func TestJSONWriterSeparates(t *testing.T) {
	w := &JSONWriter{}
	w.Open('{')
	w.String("resourceType", "Basic")
	w.String("empty", "")
	w.Strings("none", nil)
	w.Bool("flag", true)
	w.Name("list")
	w.Open('[')
	for _, s := range []string{"{", "[", ":", ",", `"`, "a\nb"} {
		w.Open('{')
		w.String("v", s)
		w.Int("n", -1)
		w.Close('}')
	}
	w.Open('[')
	w.Close(']')
	w.Open('{')
	w.Close('}')
	w.Close(']')
	w.Strings("strings", []string{"[", "{", "x"})
	w.Name("object")
	w.Open('{')
	w.Close('}')
	w.Int("last", 7)
	w.Close('}')
	const want = `{"resourceType":"Basic","flag":true,"list":[{"v":"{","n":-1},{"v":"[","n":-1},{"v":":","n":-1},{"v":",","n":-1},{"v":"\"","n":-1},` +
		`{"v":"a\nb","n":-1},[],{}],"strings":["[","{","x"],"object":{},"last":7}`
	if got := string(w.Bytes); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if _, err := Parse(w.Bytes, Limits{}); err != nil {
		t.Error(err)
	}
}
