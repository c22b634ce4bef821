package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/fhirgate/fhirgate/fhir"
	"github.com/fhirgate/fhirgate/fhir/definition"
	"github.com/fhirgate/fhirgate/fhir/fhirpath"
)

// newFHIRPath returns the command fhirpath.
func newFHIRPath(p *program) *cobra.Command {
	types := false
	cmd := &cobra.Command{
		Use:   "fhirpath [flags] EXPRESSION FILE...",
		Short: "Evaluate a FHIRPath expression on resources",
		Long: "fhirpath evaluates an expression on the resource in each file (- for standard input) and prints one item a line: primitives as their\n" +
			"text, everything else as JSON. Paths are checked against the definitions of R4, so a misspelt element is an error.",
		Example: "  fhirgate fhirpath 'name.where(use = \"official\").given' patient.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("fhirpath needs an expression and a file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := bufio.NewWriter(cmd.OutOrStdout())
			for _, name := range args[1:] {
				if err := evaluate(out, p.stdin, args[0], name, types); err != nil {
					_ = out.Flush()
					return fmt.Errorf("%s: %w", name, err)
				}
			}
			return out.Flush()
		},
	}
	cmd.Flags().BoolVar(&types, "types", false, "print each item's type before it")
	return cmd
}

// evaluate prints what an expression yields on the resource in one file.
func evaluate(w io.Writer, stdin io.Reader, expr, name string, types bool) error {
	var content []byte
	var err error
	if name == "-" {
		content, err = io.ReadAll(stdin)
	} else {
		content, err = os.ReadFile(name)
	}
	if err != nil {
		return err
	}
	r, err := fhir.ParseResource(content, fhir.Limits{})
	if err != nil {
		return err
	}
	registry := definition.R4()
	if _, ok := registry.Resource(r.Type()); !ok {
		return fmt.Errorf("%s is no resource type of R4", r.Type())
	}
	program, err := fhirpath.Compile(expr, fhirpath.WithRegistry(registry), fhirpath.WithType(r.Type()))
	if err != nil {
		return err
	}
	items, err := program.EvalResource(r)
	if err != nil {
		return err
	}
	for i, line := range items.Lines() {
		if types {
			line = items[i].Type() + "\t" + line
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}
