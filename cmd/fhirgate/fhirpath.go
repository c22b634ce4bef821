package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/klauspost/compress/gzip"
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
			"text, everything else as JSON. Paths are checked against the definitions of R4, therefore a misspelt element is an error. Files may be\n" +
			"compressed with gzip. memberOf(), subsumes() and resolve() know the definitions of R4, and resolve() finds what is contained in the resource\n" +
			"or its Bundle; any other reference yields nothing. What trace() sees goes to standard error.",
		Example: "  fhirgate fhirpath 'name.where(use = \"official\").given' patient.json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return fmt.Errorf("fhirpath needs an expression and a file, or - for standard input")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			out := bufio.NewWriter(cmd.OutOrStdout())
			e := fhirpathCommand{expr: args[0], types: types, stdin: p.stdin, out: out, traces: cmd.ErrOrStderr()}
			for _, name := range args[1:] {
				if err := e.evaluate(cmd.Context(), name); err != nil {
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

// fhirpathCommand is one run of the command.
type fhirpathCommand struct {
	expr        string
	types       bool
	stdin       io.Reader
	out, traces io.Writer
}

// read returns the content of a file, or of standard input for "-", decompressed where it is a gzip stream.
func (c *fhirpathCommand) read(name string) ([]byte, error) {
	var content []byte
	var err error
	if name == "-" {
		content, err = io.ReadAll(c.stdin)
	} else {
		content, err = os.ReadFile(name)
	}
	if err != nil || !bytes.HasPrefix(content, []byte{0x1f, 0x8b}) {
		return content, err
	}
	r, err := gzip.NewReader(bytes.NewReader(content))
	if err == nil {
		content, err = io.ReadAll(r)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read this gzip file: %w", err)
	}
	return content, nil
}

// evaluate prints what the expression yields on the resource in one file.
func (c *fhirpathCommand) evaluate(ctx context.Context, name string) error {
	content, err := c.read(name)
	if err != nil {
		return err
	}
	r, err := fhir.ParseResource(content, fhir.Limits{})
	if err != nil {
		return err
	}
	registry := definition.R4()
	if _, ok := registry.Resource(r.Type()); !ok {
		return fmt.Errorf("%s is not a resource type of R4", r.Type())
	}
	program, err := fhirpath.Compile(c.expr, fhirpath.WithRegistry(registry), fhirpath.WithType(r.Type()))
	if err != nil {
		return err
	}
	known := published{registry}
	items, err := program.Eval(fhirpath.ResourceItem(registry, r), &fhirpath.Env{Context: ctx, Resolver: known, Terminology: known, Trace: c.trace})
	if err != nil {
		return err
	}
	for i, line := range items.Lines() {
		if c.types {
			line = items[i].Type() + "\t" + line
		}
		if _, err := fmt.Fprintln(c.out, line); err != nil {
			return err
		}
	}
	return nil
}

// trace prints what trace() saw: its name and an item on each line.
func (c *fhirpathCommand) trace(name string, items fhirpath.Collection) {
	if len(items) == 0 {
		fmt.Fprintf(c.traces, "%s: nothing\n", name)
	}
	for _, line := range items.Lines() {
		fmt.Fprintf(c.traces, "%s: %s\n", name, line)
	}
}

// published knows of what is beyond an expression's resource the definitions of R4.
type published struct{ registry *definition.Registry }

// Resolve implements fhirpath.Resolver for the canonicals of the definitions.
func (p published) Resolve(_ context.Context, _ fhir.Resource, url string) (fhir.Resource, bool, error) {
	r, ok := p.registry.Definition(url)
	return r, ok, nil
}

// MemberOf implements fhirpath.Terminology.
func (p published) MemberOf(_ context.Context, codes iter.Seq[fhirpath.Code], valueSet string) (member, known bool, err error) {
	known = true
	for c := range codes {
		in, ok := p.registry.ValueSetContains(valueSet, c.System, c.Code)
		if in {
			return true, true, nil
		}
		known = known && ok
	}
	return false, known, nil
}

// Subsumes implements fhirpath.Terminology.
func (p published) Subsumes(_ context.Context, a, b fhirpath.Code) (subsumes, known bool, err error) {
	if a == b {
		return true, true, nil
	}
	if a.System != b.System || a.System == "" {
		return false, false, nil
	}
	subsumes, known = p.registry.Subsumes(a.System, a.Code, b.Code)
	return subsumes, known, nil
}
