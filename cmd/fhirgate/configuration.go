package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// envPrefix begins the environment variables that are settings.
const envPrefix = "FHIRGATE_"

// kubernetesVariable matches what Kubernetes puts into every container's environment for a service called fhirgate, without the prefix.
var kubernetesVariable = regexp.MustCompile(`^(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// configure gives the flags of cmd that were not on the command line their values from the environment and, after that, from the file.
// Names that belong to no command's flag are errors.
func configure(cmd *cobra.Command, env []string) error {
	known := settingNames(cmd.Root())
	fromEnv, err := readEnv(env, known)
	if err != nil {
		return err
	}
	config := cmd.Flags().Lookup("config")
	if v, ok := fromEnv["config"]; ok && !config.Changed {
		if err := config.Value.Set(v); err != nil {
			return err
		}
	}
	var fromFile map[string]setting
	if name := config.Value.String(); name != "" {
		if fromFile, err = readFile(name, known); err != nil {
			return err
		}
	}
	var fault error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || f == config || fault != nil {
			return
		}
		if v, ok := fromEnv[f.Name]; ok {
			if err := cmd.Flags().Set(f.Name, v); err != nil {
				fault = fmt.Errorf("the environment variable %s: %w", envName(f.Name), cause(err))
			}
			return
		}
		if s, ok := fromFile[f.Name]; ok {
			for _, v := range s.values {
				if err := cmd.Flags().Set(f.Name, v); err != nil {
					fault = fmt.Errorf("%s: %s: %w", s.place, f.Name, cause(err))
					return
				}
			}
		}
	})
	return fault
}

// cause returns what is wrong with the text given to a flag, without the words of the flag parser and of the packages it parses with.
func cause(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	why := invalid.Unwrap()
	switch invalid.GetFlag().Value.Type() {
	case "int":
		why = errors.New("it must be a whole number, for example 20")
	case "bool":
		why = errors.New("it must be true or false")
	case "duration":
		why = errors.New("it must be a duration with a unit, for example 30s or 1m30s")
	}
	return fmt.Errorf("%q is not valid: %w", invalid.GetValue(), why)
}

// settingNames returns the names of the flags of all commands that are settings.
func settingNames(root *cobra.Command) []string {
	seen := map[string]bool{"help": true, "version": true}
	var names []string
	add := func(f *pflag.Flag) {
		if !seen[f.Name] {
			seen[f.Name] = true
			names = append(names, f.Name)
		}
	}
	for _, c := range append(root.Commands(), root) {
		c.LocalFlags().VisitAll(add)
	}
	return names
}

// envName returns the environment variable of a flag.
func envName(flag string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readEnv returns the settings in the environment by flag. Variables that are set to nothing count as not set; FHIRGATE_TEST_ begins those
// of the project's tests.
func readEnv(env, known []string) (map[string]string, error) {
	byVariable := make(map[string]string, len(known))
	var valid []string
	for _, k := range known {
		byVariable[envName(k)] = k
		valid = append(valid, strings.TrimPrefix(envName(k), envPrefix))
	}
	found := make(map[string]string)
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		rest, ok := strings.CutPrefix(name, envPrefix)
		if !ok || kubernetesVariable.MatchString(rest) || strings.HasPrefix(rest, "TEST_") {
			continue
		}
		flag, ok := byVariable[name]
		if !ok {
			return nil, fmt.Errorf("unknown environment variable %s; %s", name, suggest(rest, envPrefix, valid))
		}
		if value != "" {
			found[flag] = value
		}
	}
	return found, nil
}

// setting is the value of a key in the file: one, or several for a list.
type setting struct {
	values []string
	place  string
}

// readFile returns the settings in a YAML file by flag.
func readFile(name string, known []string) (map[string]setting, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	var doc yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(content))
	if err := dec.Decode(&doc); err == io.EOF {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := dec.Decode(new(yaml.Node)); err != io.EOF {
		return nil, fmt.Errorf("%s: it must be one YAML document", name)
	}
	top := doc.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return nil, nil
	}
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: it must be a mapping of settings, for example `listen: 127.0.0.1:8080`", name)
	}
	var valid []string
	isValid := make(map[string]bool)
	for _, k := range known {
		if k != "config" {
			valid = append(valid, k)
			isValid[k] = true
		}
	}
	found := make(map[string]setting)
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], top.Content[i+1]
		s := setting{place: fmt.Sprintf("%s, line %d", name, key.Line)}
		if !isValid[key.Value] {
			return nil, fmt.Errorf("%s: unknown key %s; %s", s.place, key.Value, suggest(key.Value, "", valid))
		}
		if _, twice := found[key.Value]; twice {
			return nil, fmt.Errorf("%s: the key %s appears twice", s.place, key.Value)
		}
		switch value.Kind {
		case yaml.ScalarNode:
			if value.Tag != "!!null" {
				s.values = []string{value.Value}
			}
		case yaml.SequenceNode:
			for _, item := range value.Content {
				if item.Kind != yaml.ScalarNode {
					return nil, fmt.Errorf("%s: %s must be a list of plain values", s.place, key.Value)
				}
				s.values = append(s.values, item.Value)
			}
		default:
			return nil, fmt.Errorf("%s: %s must be a plain value or a list", s.place, key.Value)
		}
		found[key.Value] = s
	}
	return found, nil
}
