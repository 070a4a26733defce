// Package cli turns arguments into calls, and errors into messages, hints and
// exit codes. One file a verb.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"sshtay/internal/visible"
)

// Version is what sshtay calls itself; a release build sets it.
var Version = "0.1.0"

// Exit codes of every verb; those of check are a contract.
const (
	exitHealthy  = 0
	exitFindings = 1
	exitUsage    = 2
	exitUnknown  = 3
)

// An exitError ends the program with a code. An empty message prints nothing:
// what there was to say has been said.
type exitError struct {
	code          int
	message, hint string
}

func (e exitError) Error() string { return e.message }

// usage is the error for arguments that cannot be used, and what to type.
func usage(hint, format string, args ...any) error {
	return exitError{exitUsage, fmt.Sprintf(format, args...), hint}
}

// A shell is where a verb reads and writes.
type shell struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs one command line and returns its exit code.
func Main(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	sh := &shell{in, out, errOut}
	root := &cobra.Command{
		Use:           "sshtay",
		Short:         "find out why an SSH connection resets, and prove it",
		Version:       Version,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("sshtay {{.Version}}\n")
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	root.SetArgs(args)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage(cmd.CommandPath()+" --help", "%v", err)
	})
	root.AddCommand(sh.bundleCommand(), sh.checkCommand(), sh.fixCommand(), sh.confirmCommand(), sh.rollbackCommand(), sh.historyCommand(), sh.explainCommand(), sh.pathCommand(), sh.idleCommand(), sh.dialCommand(), sh.demoCommand(), sh.labCommand())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitHealthy
	}
	var exit exitError
	if !errors.As(err, &exit) {
		exit = exitError{exitUsage, err.Error(), "sshtay --help"}
	}
	if exit.message != "" {
		fmt.Fprintf(errOut, "sshtay: %s\n", visible.Text(exit.message, 4096))
		if exit.hint != "" {
			fmt.Fprintf(errOut, "try:    %s\n", exit.hint)
		}
	}
	return exit.code
}

// noColor says whether the user asked for no colour (https://no-color.org).
func noColor() bool { return os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" }

// oneOf checks a flag that takes one of a few words.
func oneOf(flag, value string, words ...string) error {
	for _, w := range words {
		if value == w {
			return nil
		}
	}
	return usage("", "--%s %q: want one of %s", flag, value, strings.Join(words, ", "))
}
