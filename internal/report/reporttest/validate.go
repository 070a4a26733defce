// Package reporttest holds reports to their published contract in the tests of
// any package.
package reporttest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Validate fails the test when the text is not one JSON document that
// docs/report.schema.json allows.
func Validate(t testing.TB, text []byte) {
	t.Helper()
	if err := Check(text); err != nil {
		t.Errorf("the report breaks docs/report.schema.json: %v", err)
	}
}

// Check says where the text breaks the contract.
func Check(text []byte) error {
	schema, err := contract()
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}

var contract = sync.OnceValues(func() (*jsonschema.Schema, error) {
	text, err := Schema()
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return Compile(doc)
})

// Compile makes a schema of a decoded one; formats such as date-time are
// checked too.
func Compile(doc any) (*jsonschema.Schema, error) {
	const name = "urn:sshtay:report:1"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// Schema reads the published schema. Tests run in the folder of their package,
// so it is looked for from there up.
func Schema() ([]byte, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return os.ReadFile(filepath.Join(dir, "docs", "report.schema.json"))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, errors.New("no go.mod in this folder or above: where is docs/report.schema.json?")
		}
		dir = parent
	}
}
