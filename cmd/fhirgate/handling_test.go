package main

import (
	"strings"
	"testing"
)

func TestHandlingIsTheDefaultThatAPreferenceOverrides(t *testing.T) {
	strict, lenient := startServer(t, freshData(t)), startServer(t, freshData(t), "--handling", "lenient")
	for _, c := range []struct {
		p      *process
		prefer string
		status int
	}{{strict, "", 400}, {strict, "handling=strict", 400}, {strict, "handling=lenient", 200}, {lenient, "", 200}, {lenient, "handling=strict", 400}, {lenient, "handling=lenient", 200}} {
		var header []string
		if c.prefer != "" {
			header = []string{"Prefer", c.prefer}
		}
		r := must(t, c.status, "GET", c.p.base+"/Patient?nosuch=1", "", header...)
		if !strings.Contains(string(r.body), "nosuch") {
			t.Errorf("%q: the response does not name the parameter: %s", c.prefer, r.body)
		}
	}
	fails(t, "it must be one of strict, lenient", "--handling", "loose")
}
