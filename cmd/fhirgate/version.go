package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// newVersion returns the command version.
func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the release",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), releaseLine())
			return err
		},
	}
}

// releaseLine returns the line that tells the release.
func releaseLine() string {
	return fmt.Sprintf("fhirgate %s (FHIR 4.0.1, %s, %s/%s)\n", release(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// release returns the version of the module that the binary was built from, and the commit where there is no version.
func release() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return cmp.Or(info.Main.Version, "(devel)")
}
