package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"sshtay/internal/bundle"
	"sshtay/internal/host"
	"sshtay/internal/report"
	"sshtay/internal/target"
	"sshtay/internal/visible"
)

const bundleHelp = `Bundle makes one archive of all that a diagnosis needs, for somebody who cannot
look at the machines: what check finds, and what it finds it in - configuration,
effective configuration, versions, kernel settings and counters, an extract of
the log. Keys, tokens, passwords and environments are left out; manifest.json
lists each file and why it is there. Nothing is sent anywhere.

Who gets it types: sshtay check --bundle FILE`

// bundleOptions are what the flags of bundle say.
type bundleOptions struct {
	checkOptions
	anonymise bool
}

func (sh *shell) bundleCommand() *cobra.Command {
	var o bundleOptions
	var ssh sshFlags
	cmd := &cobra.Command{
		Use:   "bundle [ssh options] [user@host]",
		Short: "put all that a diagnosis needs into one archive, without secrets",
		Long:  bundleHelp,
		Example: `  sshtay bundle                       this machine
  sshtay bundle web1 --anonymise      what a check of web1 sees, without names and addresses
  sshtay check --bundle sshtay-web1.tar.gz`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			if o.target, err = ssh.read("bundle", args, &o.output); err != nil {
				return err
			}
			if err := o.checkOptions.read(false); err != nil {
				return err
			}
			return sh.bundle(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	ssh.add(f, "; or the archive's file")
	f.StringVar(&o.output, "output", "", "write the archive to `FILE`, - for standard output")
	f.BoolVar(&o.anonymise, "anonymise", false, "replace the names of users and hosts, and addresses, each always by the same word")
	f.BoolVar(&o.noLogin, "no-login", false, "do not log in")
	f.IntVar(&o.maxConnections, "max-connections", 5, "make at most `N` unauthenticated connections to the host")
	f.DurationVar(&o.timeout, "timeout", 20*time.Second, "give up what has not answered after `TIME`")
	o.format = "text"
	return cmd
}

// bundle checks, and writes what was found and read into an archive.
func (sh *shell) bundle(ctx context.Context, o bundleOptions) error {
	if o.output == "" {
		name := "this-machine"
		if o.target.Given != "" {
			name = strings.Map(plainRune, o.target.Given)
		}
		o.output = "sshtay-" + name + ".tar.gz"
	}
	if _, err := os.Lstat(o.output); err == nil && o.output != "-" {
		return usage("", "%s is there already; -o OTHER writes to another file", o.output)
	}
	var mu sync.Mutex
	var files []bundle.File
	o.keep = func(name, text string) {
		mu.Lock()
		defer mu.Unlock()
		files = append(files, bundle.File{Name: bundleName(name), Why: why(name), Data: []byte(text)})
	}
	r, err := sh.observe(ctx, o.checkOptions)
	if err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	var out bytes.Buffer
	m := bundle.Manifest{Version: Version, At: r.At, Anonymised: o.anonymise}
	if files, err = clean(r, files, o.anonymise); err == nil {
		err = bundle.Write(&out, "sshtay-bundle", m, files)
	}
	if err != nil {
		return usage("", "cannot make the bundle: %v", err)
	}
	if o.output == "-" {
		_, err = sh.out.Write(out.Bytes())
	} else {
		err = (host.Local{}).WriteFile(o.output, out.Bytes(), 0o600)
	}
	if err != nil {
		return usage("", "cannot write the bundle: %v", err)
	}
	fmt.Fprintf(sh.err, "sshtay: %s: %d files, %d KiB, without keys, tokens and environments%s\n", visible.Line(o.output, 300), len(files), (out.Len()+1023)/1024,
		map[bool]string{true: "; names and addresses replaced"}[o.anonymise])
	fmt.Fprintf(sh.err, "look:   tar -xzOf %s sshtay-bundle/manifest.json\nread:   sshtay check --bundle %s\n", visible.Line(filepath.Base(o.output), 300), visible.Line(filepath.Base(o.output), 300))
	return nil
}

// clean returns what goes into the archive: the report first, and no secret in
// any file.
func clean(r report.Report, files []bundle.File, anonymise bool) ([]bundle.File, error) {
	text := bundle.Redact
	if anonymise {
		names := bundle.NewNames(users(r.Target), hosts(r.Target))
		for _, f := range files {
			names.Learn(string(f.Data))
		}
		text = func(s string) string { return names.Text(bundle.Redact(s)) }
	}
	var b bytes.Buffer
	if err := report.JSON(&b, r); err != nil {
		return nil, err
	}
	judged, err := eachString(b.Bytes(), text)
	if err != nil {
		return nil, err
	}
	out := []bundle.File{{Name: bundle.Report, Why: "what sshtay check found, with every fact it judged by", Data: judged}}
	for _, f := range files {
		out = append(out, bundle.File{Name: bundleName(text(f.Name)), Why: f.Why, Data: []byte(text(string(f.Data)))})
	}
	return out, nil
}

// eachString changes every string in a JSON text, but for the names of fields.
func eachString(data []byte, change func(string) string) ([]byte, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case string:
			return change(v)
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k])
			}
		}
		return v
	}
	return json.MarshalIndent(walk(v), "", " ")
}

func users(t report.Target) []string {
	names := []string{t.User}
	if me, err := user.Current(); err == nil {
		names = append(names, me.Username)
	}
	return names
}

func hosts(t report.Target) []string {
	names := []string{target.HostOf(t.Given), t.Host}
	for _, j := range t.Jumps {
		names = append(names, target.HostOf(j))
	}
	if me, err := os.Hostname(); err == nil {
		short, _, _ := strings.Cut(me, ".")
		names = append(names, me, short)
	}
	return names
}

// bundleName makes a file's name of where something was read.
func bundleName(name string) string {
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		part = strings.Map(plainRune, part)
		if part != "" && part != "." && part != ".." {
			parts = append(parts, part[:min(len(part), 80)])
		}
	}
	joined := strings.Join(parts, "/")
	return joined[:min(len(joined), 250)]
}

func plainRune(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-@+=", r) {
		return r
	}
	return '_'
}

// reasons say why something is in a bundle, by the begin of where it was read.
var reasons = []struct{ prefix, why string }{
	{"client/ssh-G", "the client's effective configuration for this host"},
	{"client/file", "a file of the client's configuration: which line sets what"},
	{"server/sshd-T", "the server's effective configuration"},
	{"server/sshd-t", "whether sshd takes its configuration"},
	{"server/file", "a file of the server's configuration: which line sets what"},
	{"server/unreadable", "a file of the server's configuration that could not be read"},
	{"server/log", "lines of sshd's log about refusals, errors and this client"},
	{"server/kernel", "lines of the kernel's log about memory, tables and crashes"},
	{"server/hosts.", "addresses that are let in or kept out"},
	{"server/fail2ban", "addresses that are banned"},
	{"server/firewall", "rules about the server's port"},
	{"server/units", "how the service is started, and its limits"},
	{"server/version", "which sshd it is"},
	{"server/package", "which package it came in"},
	{"server/release", "which system it is"},
	{"server/sysctl", "settings of the server's kernel for TCP"},
	{"server/proc", "settings of the server's kernel, and its load"},
	{"server/netstat", "counters of the server's kernel: resets, losses, full queues"},
	{"server/conntrack", "how full the kernel's table of connections is"},
	{"server/links", "packets, errors and routes of the server's interfaces"},
	{"server/flows", "the kernel's view of this client's connections"},
	{"server/df", "how full the file systems are"},
	{"server/sockets", "who waits and who is connected at the port"},
}

func why(name string) string {
	for _, r := range reasons {
		if strings.HasPrefix(name, r.prefix) {
			return r.why
		}
	}
	return "the server's state when it was asked: load, limits, processes, settings"
}

// unbundle judges the facts of a bundle.
func (sh *shell) unbundle(file string) (report.Report, error) {
	f, err := os.Open(file)
	if err != nil {
		return report.Report{}, usage("sshtay bundle HOST -o "+visible.Line(file, 100), "cannot read the bundle: %v", err)
	}
	defer f.Close()
	b, err := bundle.Read(f)
	if err != nil {
		return report.Report{}, usage("", "%s: %v", file, err)
	}
	return sh.rejudge(file, bytes.NewReader(b.Files[bundle.Report]))
}
