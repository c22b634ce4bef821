package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The members of the set that compose.yaml starts are those that its check makes a set of, and those that the server is told.
func TestComposeFileNamesTheMembersAlike(t *testing.T) {
	raw, err := os.ReadFile("compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Services map[string]struct {
			Image       string
			Command     []string
			Environment map[string]string
			Build       struct{ Context, Dockerfile string }
			Healthcheck struct{ Test []string }
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	var members []string
	set := ""
	for name, s := range file.Services {
		if i := slices.Index(s.Command, "--replSet"); i >= 0 {
			members = append(members, name+":27017")
			if set != "" && set != s.Command[i+1] {
				t.Errorf("%s is of the set %s", name, s.Command[i+1])
			}
			set = s.Command[i+1]
		}
	}
	slices.Sort(members)
	if len(members) != 3 {
		t.Fatalf("members %v", members)
	}
	test := strings.Join(file.Services["mongo1"].Healthcheck.Test, " ")
	var initiated []string
	for _, m := range regexp.MustCompile(`host: '([^']+)'`).FindAllStringSubmatch(test, -1) {
		initiated = append(initiated, m[1])
	}
	if !slices.Equal(initiated, members) || !strings.Contains(test, "_id: '"+set+"'") {
		t.Errorf("the check makes the set of %v: %s", initiated, test)
	}
	server := file.Services["fhirgate"]
	want := "mongodb://" + strings.Join(members, ",") + "/fhir?replicaSet=" + set
	if got := server.Environment["FHIRGATE_MONGODB"]; got != want {
		t.Errorf("the server is told %s, want %s", got, want)
	}
	if _, err := os.Stat(server.Build.Context + "/" + server.Build.Dockerfile); err != nil {
		t.Error(err)
	}
}
