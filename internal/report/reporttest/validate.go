// Package reporttest holds what is printed as JSON to its published contract in
// the tests of any package.
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

// The contracts, files in docs.
const (
	Report  = "report.schema.json"
	Path    = "path.schema.json"
	Explain = "explain.schema.json"
)

// Check says where the text breaks the contract of reports.
func Check(text []byte) error { return CheckAs(Report, text) }

// CheckAs says where the text breaks a contract.
func CheckAs(contract string, text []byte) error {
	schema, err := compiled(contract)
	if err != nil {
		return err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(doc)
}

var contracts sync.Map // by name: *jsonschema.Schema

func compiled(name string) (*jsonschema.Schema, error) {
	if known, ok := contracts.Load(name); ok {
		return known.(*jsonschema.Schema), nil
	}
	text, err := Schema(name)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	schema, err := Compile(doc)
	if err == nil {
		contracts.Store(name, schema)
	}
	return schema, err
}

// Compile makes a schema of a decoded one; formats such as date-time are
// checked too.
func Compile(doc any) (*jsonschema.Schema, error) {
	const name = "urn:sshtay:contract"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

// Schema reads a published contract. Tests run in the folder of their package,
// so it is looked for from there up.
func Schema(name string) ([]byte, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return os.ReadFile(filepath.Join(dir, "docs", name))
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, errors.New("no go.mod in this folder or above: where is docs?")
		}
		dir = parent
	}
}
