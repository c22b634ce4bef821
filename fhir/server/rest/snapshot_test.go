package rest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/search"
	"github.com/fhirgate/fhirgate/fhir/server/interaction"
	"github.com/fhirgate/fhirgate/fhir/server/operation"
	"github.com/fhirgate/fhirgate/storage"
)

// interrupted is a Service that writes after the first resource it has read.
type interrupted struct {
	*interaction.Service
	write func()
}

// Read reads, and writes after it.
func (i *interrupted) Read(ctx context.Context, key fhir.Key) (storage.Record, error) {
	rec, err := i.Service.Read(ctx, key)
	if write := i.write; write != nil {
		i.write = nil
		write()
	}
	return rec, err
}

func TestGraphAndDiffAreOfOneMoment(t *testing.T) {
	cfg := newConfig(t)
	s := newServerOf(t, cfg)
	s.put(t, "Organization/o", `{"resourceType":"Organization","id":"o","name":"before"}`)
	s.put(t, "Organization/other", `{"resourceType":"Organization","id":"other"}`)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p","managingOrganization":{"reference":"Organization/o"}}`)
	s.put(t, "GraphDefinition/g", `{"resourceType":"GraphDefinition","id":"g","name":"G","status":"active","start":"Patient","link":[{"path":"Patient.managingOrganization","target":[{"type":"Organization"}]}]}`)
	for name, c := range map[string]struct {
		operation  func(*interrupted) interaction.Operation
		key        fhir.Key
		parameters []search.Pair
	}{
		"$graph": {func(s *interrupted) interaction.Operation { return operation.Graph(s, cfg.Registry) }, fhir.Key{Type: "Patient", ID: "p"}, []search.Pair{{Name: "graph", Value: "GraphDefinition/g"}}},
		"$diff": {func(s *interrupted) interaction.Operation { return operation.Diff(s, cfg.Registry) }, fhir.Key{},
			[]search.Pair{{Name: "from", Value: "Organization/other"}, {Name: "to", Value: "Organization/o"}}},
	} {
		s.put(t, "Organization/o", `{"resourceType":"Organization","id":"o","name":"before"}`)
		service := &interrupted{cfg.Service.(*interaction.Service), func() { s.put(t, "Organization/o", `{"resourceType":"Organization","id":"o","name":"after"}`) }}
		o := c.operation(service)
		res, err := o.Run(t.Context(), &interaction.Request{Operation: &o, Key: c.key, Base: s.url + "/fhir", Parameters: c.parameters})
		if err != nil || service.write != nil {
			t.Errorf("%s: %v; nothing was written meanwhile: %v", name, err, service.write != nil)
		}
		if body := string(res.Body); !strings.Contains(body, "before") || strings.Contains(body, "after") {
			t.Errorf("%s: %s", name, body)
		}
	}
}

// TestGraphAndDiffKnowAllNamesOfTheServer asks under one name of the server for what is named by another.
func TestGraphAndDiffKnowAllNamesOfTheServer(t *testing.T) {
	const other = "http://example.org/fhir/"
	s := newServer(t)
	s.put(t, "Organization/o", `{"resourceType":"Organization","id":"o","name":"one"}`)
	s.put(t, "Organization/o", `{"resourceType":"Organization","id":"o","name":"two"}`)
	s.put(t, "Patient/p", `{"resourceType":"Patient","id":"p","extension":[{"url":"urn:x","valueUri":"`+other+`Organization/o"}]}`)
	s.put(t, "GraphDefinition/g", `{"resourceType":"GraphDefinition","id":"g","name":"G","status":"active","start":"Patient","link":[{"path":"Patient.extension.value","target":[{"type":"Organization"}]}]}`)
	runOn(t, s, []call{
		{"a graph", "GET", "/fhir/Patient/p/$graph?graph=" + other + "GraphDefinition/g", nil, "", 200, nil, []string{`"name":"two"`}},
		{"a version of a graph", "GET", "/fhir/Patient/p/$graph?graph=" + other + "GraphDefinition/g/_history/1", nil, "", 200, nil, []string{`"name":"two"`}},
		{"the client's name", "GET", "/fhir/Patient/p/$graph?graph=" + s.url + "/fhir/GraphDefinition/g", nil, "", 200, nil, []string{`"name":"two"`}},
		{"another server's", "GET", "/fhir/Patient/p/$graph?graph=http://elsewhere.example.org/fhir/GraphDefinition/g", nil, "", 404, nil, []string{"not-found"}},
		{"a difference", "GET", "/fhir/$diff?from=" + other + "Organization/o/_history/1&to=" + s.url + "/fhir/Organization/o", nil, "", 200, nil, []string{`"valueString":"two"`}},
		{"another server's resource", "GET", "/fhir/$diff?from=http://elsewhere.example.org/fhir/Organization/o&to=Organization/o", nil, "", 400, nil, []string{"from is a reference"}},
	})
}
