package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settle parses a command line as run does and returns the settings that serve would start with, by flag.
func settle(t *testing.T, args, env []string) (map[string]string, error) {
	t.Helper()
	p := program{env: env, stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	root := newRoot(&p)
	got := map[string]string{}
	for _, c := range append(root.Commands(), root) {
		c.RunE = func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"listen", "data", "max-body", "cors-origins", "trust-proxy", "validate", "search-timeout"} {
				if f := cmd.Flags().Lookup(name); f != nil {
					got[name] = f.Value.String()
				}
			}
			return nil
		}
	}
	root.SetArgs(append([]string{}, args...)) // nil would be the arguments of the test binary
	return got, root.Execute()
}

// file writes a configuration file and returns its name.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "fhirgate.yaml")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAFlagGoesBeforeAVariableBeforeTheFileBeforeTheDefault(t *testing.T) {
	name := file(t, "listen: 127.0.0.1:1\ndata: /file\nmax-body: 1MiB\ncors-origins: [https://a.example, https://b.example]\n")
	env := []string{"FHIRGATE_LISTEN=127.0.0.1:2", "FHIRGATE_DATA=/env", "FHIRGATE_TRUST_PROXY=true", "FHIRGATE_CONFIG=" + name,
		"FHIRGATE_VALIDATE=", "FHIRGATE_PORT=tcp://10.0.0.1:80", "FHIRGATE_SERVICE_HOST=10.0.0.1", "FHIRGATE_PORT_80_TCP_ADDR=10.0.0.1", "OTHER=x"}
	want := map[string]string{"listen": "127.0.0.1:3", "data": "/env", "max-body": "1MiB", "trust-proxy": "true", "validate": "base",
		"cors-origins": "[https://a.example,https://b.example]", "search-timeout": "1m0s"}
	for _, args := range [][]string{{"--listen", "127.0.0.1:3"}, {"serve", "--listen", "127.0.0.1:3"}, {"--listen", "127.0.0.1:3", "serve"}} {
		got, err := settle(t, args, env)
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%v: %s", args, d)
		}
	}
}

func TestAVariableOfListsIsSplitAtCommas(t *testing.T) {
	got, err := settle(t, nil, []string{"FHIRGATE_CORS_ORIGINS=https://a.example,https://b.example"})
	if err != nil || got["cors-origins"] != "[https://a.example,https://b.example]" {
		t.Fatal(got, err)
	}
}

func TestEveryCommandTakesTheSameFileAndEnvironment(t *testing.T) {
	name := file(t, "listen: 127.0.0.1:1\njobs: 3\n")
	for _, args := range [][]string{{"--config", name}, {"serve", "--config", name}, {"--config", name, "load", "x"}, {"version", "--config", name}} {
		if _, err := settle(t, args, []string{"FHIRGATE_SERVER=http://127.0.0.1/fhir"}); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, empty := range []string{"", "\n# nothing\n", "null\n", "---\n"} {
		if _, err := settle(t, []string{"--config", file(t, empty)}, nil); err != nil {
			t.Errorf("%q: %v", empty, err)
		}
	}
}

func TestWrongSettingsAreOneLineThatNamesTheRightOne(t *testing.T) {
	for _, tc := range []struct {
		args []string
		env  string
		file string
		want string
	}{
		{args: []string{"--lisen", "x"}, want: "unknown flag --lisen; did you mean --listen?"},
		{args: []string{"serve", "--validation=off"}, want: "unknown flag --validation; did you mean --validate?"},
		{args: []string{"serve", "--qqqqqqqq"}, want: "unknown flag --qqqqqqqq; available: --allow-purge, --base-url, --conditional-delete, --config,"},
		{args: []string{"load", "--sever", "x", "f"}, want: "unknown flag --sever; did you mean --server?"},
		{args: []string{"serve", "-x"}, want: "unknown flag -x; `fhirgate serve --help` lists the flags"},
		{args: []string{"sevre"}, want: "unknown command sevre; did you mean serve?"},
		{args: []string{"import"}, want: "unknown command import; available: backup, check, copy"},
		{args: []string{"help", "sevre"}, want: "unknown command sevre; did you mean serve?"},
		{args: []string{"--search-timeout", "-5s"}, want: "--search-timeout must be a duration above zero, for example 30s, but is -5s"},
		{args: []string{"--base-url", "http://x/fhir?x=1"}, want: "--base-url must be a URL without a query"},
		{args: []string{"--cors-origins", "foo"}, want: `--cors-origins must be origins such as https://app.example.org or http://localhost:*, or *, but one is "foo"`},
		{args: []string{"--message-endpoints", "https://a.example/fhir,ftp://b.example"}, want: `--message-endpoints must be URLs of http or https with a host, and without a query, but one is "ftp://b.example"`},
		{args: []string{"serve", "now"}, want: "fhirgate serve takes no arguments, but was given now"},
		{args: []string{"load"}, want: "load needs a file, a folder, a pattern, - for standard input, or --sample"},
		{args: []string{"--max-body", "many"}, want: `--max-body: "many" is not valid: it must be a number with a unit, for example 64MiB`},
		{args: []string{"--max-page", "abc"}, want: `--max-page: "abc" is not valid: it must be a whole number, for example 20`},
		{args: []string{"load", "-j", "x", "f"}, want: `--jobs: "x" is not valid: it must be a whole number`},
		{args: []string{"--trust-proxy=perhaps"}, want: `--trust-proxy: "perhaps" is not valid: it must be true or false`},
		{args: []string{"--zone", "Berlin"}, want: `--zone: "Berlin" is not valid: it must be a name of the IANA time zone database`},
		{env: "FHIRGATE_MAX_PAGE=abc", want: `the environment variable FHIRGATE_MAX_PAGE: "abc" is not valid: it must be a whole number, for example 20`},
		{env: "FHIRGATE_SEARCH_TIMEOUT=30", want: `the environment variable FHIRGATE_SEARCH_TIMEOUT: "30" is not valid: it must be a duration with a unit`},
		{file: "max-page: 99999999999999999999\n", want: `line 1: max-page: "99999999999999999999" is not valid: it must be a whole number`},
		{args: []string{"--validate=all"}, want: "it must be one of off, base"},
		{args: []string{"--listen"}, want: "flag needs an argument: --listen"},
		{env: "FHIRGATE_LISTENN=x", want: "unknown environment variable FHIRGATE_LISTENN; did you mean FHIRGATE_LISTEN?"},
		{env: "FHIRGATE_MAX_BODY=many", want: `the environment variable FHIRGATE_MAX_BODY: "many" is not valid: it must be a number with a unit`},
		{env: "FHIRGATE_CONFIG=/nonexistent", want: "open /nonexistent: no such file or directory"},
		{file: "data: x\nlisten_: y\n", want: "line 2: unknown key listen_; did you mean listen?"},
		{file: "listen: x\nlisten: y\n", want: "line 2: the key listen appears twice"},
		{file: "max-body: -1\n", want: `line 1: max-body: "-1" is not valid: it must be a number with a unit`},
		{file: "listen: {a: b}\n", want: "listen must be a plain value or a list"},
		{file: "- listen\n", want: "it must be a mapping of settings"},
		{file: "a: b\n---\nc: d\n", want: "it must be one YAML document"},
		{file: "a: [", want: "yaml: "},
		{file: "config: other.yaml\n", want: "unknown key config"},
		{args: []string{"--listen", "0.0.0.0:8080"}, want: "--listen 0.0.0.0:8080 can be reached from other machines, and no authorization is configured"},
		{args: []string{"--listen", ":8080"}, want: "set --insecure-listen"},
		{args: []string{"--listen", "[::]:8080"}, want: "set --insecure-listen"},
		{args: []string{"--listen", "8080"}, want: "--listen must be an address and a port"},
		{args: []string{"--listen", "127.0.0.1:http"}, want: "the port must be a number up to 65535"},
		{args: []string{"--max-page", "0"}, want: "--max-page must be greater than 0"},
		{args: []string{"--max-page", "10", "--default-page", "20"}, want: "--default-page (20) must not be greater than --max-page (10)"},
		{args: []string{"load", "--server", "localhost:8080", "x"}, want: "--server must be the URL of a FHIR server"},
		{args: []string{"load", "--header", "x", "x"}, want: "--header must have the form"},
		{args: []string{"load", "--header", "a b: c", "x"}, want: "--header must have the form"},
		{args: []string{"load", "-j", "0", "x"}, want: "--jobs must be greater than 0"},
		{args: []string{"--nope"}, want: "unknown flag --nope; available: --allow-purge, --base-url"},
		{env: "FHIRGATE_NOPE=x", want: "unknown environment variable FHIRGATE_NOPE; available: FHIRGATE_"},
		{args: []string{"reindex", "--data", "/nonexistent"}, want: "there is no store in the data folder /nonexistent"},
	} {
		args := tc.args
		if tc.file != "" {
			args = append([]string{"--config", file(t, tc.file)}, args...)
		}
		var stdout, stderr bytes.Buffer
		p := program{args: args, env: []string{tc.env}, stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		status := run(ctx, p)
		cancel()
		line := stderr.String()
		if status != 1 || !strings.HasPrefix(line, "fhirgate: ") || strings.Count(line, "\n") != 1 || !strings.Contains(line, tc.want) || stdout.Len() > 0 {
			t.Errorf("%v %s %q: status %d, %q, want %q", tc.args, tc.env, tc.file, status, line+stdout.String(), tc.want)
		}
	}
}

func TestLoopbackAddresses(t *testing.T) {
	_, err := net.LookupHost("localhost") // a machine without a file of hosts may not know it
	for host, want := range map[string]bool{"127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true, "localhost": err == nil, "": false, "0.0.0.0": false,
		"::": false, "192.0.2.1": false, "no-such-host.invalid": false} {
		if got := loopback(host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]string{"1": "1", "1024": "1KiB", "64MiB": "64MiB", "64 mb": "64MiB", "2g": "2GiB", "1500": "1500", "0": "", "-1k": "", "1.5m": "", "9999999999g": "", "x": ""} {
		var s size
		err := s.Set(text)
		if (err != nil) != (want == "") || err == nil && s.String() != want {
			t.Errorf("%s: %v %v, want %q", text, s.String(), err, want)
		}
	}
}

func TestEveryFlagIsAVariableAndAKey(t *testing.T) {
	values := map[string]string{"string": "x", "bool": "true", "int": "7", "duration": "7s", "stringSlice": "x", "stringArray": "x", "size": "7MiB", "zone": "Europe/Berlin",
		"off|base": "off", "single|multiple": "multiple", "strict|lenient": "lenient", "debug|info|warn|error": "info", "text|json": "json"}
	tried := 0
	for _, c := range newRoot(&program{}).Commands() {
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			value := values[f.Value.Type()]
			if f.Name == "help" || f.Name == "config" {
				return
			}
			if value == "" {
				t.Fatalf("%s --%s: no value of type %s to try", c.Name(), f.Name, f.Value.Type())
			}
			for place, given := range map[string][]string{
				"variable": {envName(f.Name) + "=" + value},
				"key":      {"FHIRGATE_CONFIG=" + file(t, f.Name+": "+value+"\n")},
			} {
				tried++
				root := newRoot(&program{env: given})
				set := ""
				for _, cmd := range root.Commands() {
					cmd.Args = nil
					cmd.RunE = func(cmd *cobra.Command, _ []string) error {
						set = strings.Trim(cmd.Flags().Lookup(f.Name).Value.String(), "[]")
						return nil
					}
				}
				root.SetArgs([]string{c.Name()})
				if err := root.Execute(); err != nil || set != value {
					t.Errorf("%s --%s as a %s: %q, %v, want %q", c.Name(), f.Name, place, set, err, value)
				}
			}
		})
	}
	if tried < 60 {
		t.Errorf("%d flags were tried only", tried)
	}
}
