package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// program is one run of the binary, with all that it takes from outside.
type program struct {
	args           []string
	env            []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// run executes the command line and returns the exit status: 0, or 1 for every fault, which is then on standard error in one line.
func run(ctx context.Context, p program) int {
	root := newRoot(&p)
	root.SetArgs(append([]string{}, p.args...)) // never nil, which stands for the arguments of the process: it may be a test
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintf(p.stderr, "fhirgate: %s\n", strings.Join(strings.Fields(err.Error()), " "))
		return 1
	}
	return 0
}

// newRoot returns the command fhirgate with all others below it. By itself it serves.
func newRoot(p *program) *cobra.Command {
	root := newServe(p)
	root.Use = "fhirgate"
	root.Short = "Serve HL7 FHIR R4 from one binary"
	root.Long = "fhirgate serves HL7 FHIR R4 (4.0.1) over HTTP. Without a command it serves from ./fhirgate-data at http://127.0.0.1:8080/fhir.\n\n" +
		"Every flag is also an environment variable (FHIRGATE_LISTEN for --listen) and a key of the file given as --config (listen: ...).\n" +
		"A flag overrides the variable, and the variable overrides the file."
	root.Version = releaseLine()
	root.SetVersionTemplate("{{.Version}}")
	root.SilenceErrors, root.SilenceUsage = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().String("config", "", "YAML `file` with settings")
	root.AddCommand(newServe(p), newLoad(p), newFHIRPath(p), newReindex(p), newBackup(p), newRestore(p), newCheck(p), newCopy(p), newVersion())
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return configure(cmd, p.env) }
	root.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownCommand(root, args[0])
	}
	root.SetHelpCommand(&cobra.Command{
		Use:                "help [command]",
		Short:              "Show help for a command",
		PersistentPreRunE:  func(*cobra.Command, []string) error { return nil },
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(root, args[0])
			}
			return about.Help()
		},
	})
	root.SetFlagErrorFunc(flagError)
	return root
}

// unknownCommand is the fault of a command that does not exist.
func unknownCommand(root *cobra.Command, name string) error {
	var names []string
	for _, c := range root.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("unknown command %s; %s", name, suggest(name, "", names))
}

// flagError describes in one line what the flag parser refused.
func flagError(cmd *cobra.Command, err error) error {
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		return fmt.Errorf("--%s: %w", invalid.GetFlag().Name, cause(err))
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	if short := unknown.GetSpecifiedShortnames(); short != "" {
		return fmt.Errorf("unknown flag -%s; `%s --help` lists the flags", short, cmd.CommandPath())
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return fmt.Errorf("unknown flag --%s; %s", unknown.GetSpecifiedName(), suggest(unknown.GetSpecifiedName(), "--", names))
}

// noArguments refuses arguments by name.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, but was given %s", cmd.CommandPath(), args[0])
	}
	return nil
}
