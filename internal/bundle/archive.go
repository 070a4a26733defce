// Package bundle is the archive in which a machine's diagnosis travels: what
// was found as a report, and beside it what it was found in, without secrets
// and, where wanted, without names. An archive from elsewhere is hostile
// input.
package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Schema names the form of the manifest.
const Schema = "sshtay.bundle/1"

// The files that every bundle has, under its folder.
const (
	Report   = "report.json"   // as sshtay check --json writes it
	manifest = "manifest.json" // what is in it, and why
)

// Bounds of a bundle; a real one has some hundred kilobytes.
const (
	mostFiles = 2000
	mostBytes = 64 << 20 // of all files, unpacked
	mostName  = 300
)

// A File is one file of a bundle.
type File struct {
	Name string // with slashes, below the bundle's folder
	Why  string // it is there: a few words for who looks at the manifest
	Data []byte
}

// A Manifest lists what is in a bundle.
type Manifest struct {
	Schema     string    `json:"schema"`
	Version    string    `json:"version"` // of sshtay that wrote it
	At         time.Time `json:"at"`
	Anonymised bool      `json:"anonymised"`
	Files      []Entry   `json:"files"`
}

// An Entry is one file in the manifest.
type Entry struct {
	Name   string `json:"name"`
	Why    string `json:"why"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Write writes a bundle as a compressed tar archive with one folder in it. Of
// files with the same name the first counts, and the name of one that would be
// a folder as well gets a tilde.
func Write(w io.Writer, folder string, m Manifest, files []File) error {
	m.Schema, m.Files = Schema, nil
	seen, folders := map[string]bool{manifest: true}, map[string]bool{}
	for _, f := range files {
		for dir := path.Dir(f.Name); dir != "." && dir != "/"; dir = path.Dir(dir) {
			folders[dir] = true
		}
	}
	var kept []File
	for _, f := range files {
		if err := checkName(f.Name); err != nil {
			return err
		}
		for folders[f.Name] {
			f.Name += "~"
		}
		if seen[f.Name] {
			continue
		}
		seen[f.Name] = true
		sum := sha256.Sum256(f.Data)
		m.Files = append(m.Files, Entry{f.Name, f.Why, len(f.Data), hex.EncodeToString(sum[:])})
		kept = append(kept, f)
	}
	list, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	kept = slices.Insert(kept, 0, File{Name: manifest, Data: append(list, '\n')})
	zip := gzip.NewWriter(w)
	out := tar.NewWriter(zip)
	for _, f := range kept {
		h := tar.Header{Name: path.Join(folder, f.Name), Mode: 0o600, Size: int64(len(f.Data)), ModTime: m.At, Format: tar.FormatPAX}
		if err := out.WriteHeader(&h); err != nil {
			return err
		}
		if _, err := out.Write(f.Data); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), zip.Close())
}

// A Bundle is what an archive holds.
type Bundle struct {
	Manifest Manifest
	Files    map[string][]byte // by name
}

// Read reads a bundle into memory and writes nothing anywhere. It refuses what
// [Write] would not have written: other kinds of entries than plain files,
// names that lead elsewhere, files that the manifest does not list or describes
// otherwise, and more than a bundle can hold.
func Read(r io.Reader) (Bundle, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return Bundle{}, fmt.Errorf("no bundle: %w", err)
	}
	b := Bundle{Files: map[string][]byte{}}
	in, left := tar.NewReader(zip), int64(mostBytes)
	folder := ""
	for {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return b, b.check()
		}
		if err != nil {
			return Bundle{}, fmt.Errorf("no whole bundle: %w", err)
		}
		first, name, below := strings.Cut(h.Name, "/")
		if folder == "" {
			folder = first
		}
		switch err := checkName(name); {
		case !below || first == "" || first != folder || err != nil:
			return Bundle{}, fmt.Errorf("no bundle: %.100q is not a file below its folder", h.Name)
		case h.Typeflag != tar.TypeReg:
			return Bundle{}, fmt.Errorf("no bundle: %.100q is not a plain file", h.Name)
		case len(b.Files) == mostFiles:
			return Bundle{}, fmt.Errorf("no bundle: more than %d files", mostFiles)
		case h.Size > left:
			return Bundle{}, fmt.Errorf("no bundle: more than %d MiB", mostBytes>>20)
		}
		if _, twice := b.Files[name]; twice {
			return Bundle{}, fmt.Errorf("no bundle: %.100q is there twice", h.Name)
		}
		var data bytes.Buffer // grows with what is there, not with what is promised
		n, err := io.Copy(&data, io.LimitReader(in, left+1))
		if err != nil {
			return Bundle{}, fmt.Errorf("no whole bundle: %w", err)
		}
		left -= n
		b.Files[name] = data.Bytes()
	}
}

// check holds the files to the manifest.
func (b *Bundle) check() error {
	text, ok := b.Files[manifest]
	if !ok {
		return fmt.Errorf("no bundle: it has no %s", manifest)
	}
	if err := json.Unmarshal(text, &b.Manifest); err != nil {
		return fmt.Errorf("%s: %w", manifest, err)
	}
	if b.Manifest.Schema != Schema {
		return fmt.Errorf("%s: written to the contract %.64q; this version of sshtay reads %q", manifest, b.Manifest.Schema, Schema)
	}
	listed := map[string]bool{manifest: true}
	for _, e := range b.Manifest.Files {
		data, ok := b.Files[e.Name]
		sum := sha256.Sum256(data)
		if !ok || len(data) != e.Bytes || hex.EncodeToString(sum[:]) != e.SHA256 {
			return fmt.Errorf("the bundle was changed or is damaged: %.100q is not as its manifest says", e.Name)
		}
		listed[e.Name] = true
	}
	for name := range b.Files {
		if !listed[name] {
			return fmt.Errorf("the bundle was changed: %.100q is not in its manifest", name)
		}
	}
	if !listed[Report] {
		return fmt.Errorf("no bundle: it has no %s", Report)
	}
	return nil
}

func checkName(name string) error {
	if !fs.ValidPath(name) || name == "." || len(name) > mostName || strings.ContainsAny(name, "\\\x00:") {
		return fmt.Errorf("%.100q is no name for a file of a bundle", name)
	}
	return nil
}
