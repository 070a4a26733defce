package lab

import (
	"fmt"
	"os"
	"slices"
	"testing"
)

// TestMain lets the test program be the first process of a machine too.
func TestMain(m *testing.M) {
	if slices.Equal(os.Args[1:], InitArgs) {
		if err := Init(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
