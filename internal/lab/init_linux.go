package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"sshtay/internal/host"
)

// InitArgs are the arguments with which our own program is the first process
// of a machine in the lab and calls [Init].
var InitArgs = []string{"lab", "init"}

// A become is what a new machine is told to become.
type become struct {
	Name string // host name
	Tree string // folder that holds the system it shall have a copy of
	PTYs int    // how many pseudo-terminals it has; 0 is as many as usual
}

// Init is the first process of a machine in the lab. It makes the machine's
// file system, says that it is ready, buries orphans, and ends when standard
// input does; with it ends the machine.
func Init(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("this command is for sshtay's own use: it is the first process of a machine in the lab: %w", err)
	}
	var b become
	if err := json.Unmarshal(line, &b); err != nil {
		return err
	}
	if err := b.build(); err != nil {
		fmt.Fprintln(out, strings.ReplaceAll(err.Error(), "\n", " "))
		return err
	}
	go bury()
	fmt.Fprintln(out, "ready")
	_, err = io.Copy(io.Discard, lines)
	return err
}

// bury waits for whichever process ends: those whose parent is gone are ours.
func bury() {
	ended := make(chan os.Signal, 16)
	signal.Notify(ended, unix.SIGCHLD)
	for range ended {
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}

// fresh lists the folders that start empty: what the system below has in them
// belongs to it alone.
var fresh = []struct {
	name string
	mode uint32
}{{"run", 0o755}, {"tmp", 0o1777}, {"var/tmp", 0o1777}, {"var/log", 0o755}, {"root", 0o700}, {"home", 0o755}, {"etc/ssh", 0o755}}

// build makes this process's file system a copy of the tree, whose changes
// are kept in memory and die with us.
func (b become) build() error {
	if err := unix.Sethostname([]byte(b.Name)); err != nil {
		return fmt.Errorf("cannot set the host name: %w", err)
	}
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer self.Close()
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	scratch, err := b.scratch()
	if err != nil {
		return err
	}
	if err := mount("sshtay", scratch, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	upper, work, root := scratch+"/upper", scratch+"/work", scratch+"/root"
	for _, dir := range []string{upper, work, root} {
		if err := host.PutDir(dir, 0o755, host.Owner{}); err != nil {
			return err
		}
	}
	if err := mount("sshtay", root, "overlay", 0, fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", b.Tree, upper, work)); err != nil {
		return fmt.Errorf("%w (the lab needs overlayfs)", err)
	}
	if err := b.furnish(root); err != nil {
		return err
	}
	if err := bindFile(fmt.Sprintf("/proc/self/fd/%d", self.Fd()), root+"/usr/local/bin/sshtay"); err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("cannot change the root: %w", err)
	}
	return unix.Unmount(".", unix.MNT_DETACH)
}

// scratch returns a folder to mount on which does not hide the tree.
func (b become) scratch() (string, error) {
	for _, dir := range []string{"/mnt", "/media", "/srv", "/tmp"} {
		info, err := os.Stat(dir)
		if err == nil && info.IsDir() && !strings.HasPrefix(b.Tree+"/", dir+"/") {
			return dir, nil
		}
	}
	return "", fmt.Errorf("found no folder to build on beside %s", b.Tree)
}

// furnish mounts what a system expects to find.
func (b become) furnish(root string) error {
	for _, f := range fresh {
		dir := filepath.Join(root, f.name)
		if err := host.PutDir(dir, 0o755, host.Owner{}); err != nil {
			return err
		}
		if err := mount("sshtay", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=%o", f.mode)); err != nil {
			return err
		}
	}
	if err := mount("proc", root+"/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return err
	}
	if err := mount("sysfs", root+"/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := mount("sshtay", root+"/dev", "tmpfs", unix.MS_NOSUID, "mode=755"); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := bindFile("/dev/"+name, root+"/dev/"+name); err != nil {
			return err
		}
	}
	for name, to := range map[string]string{"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"} {
		if err := unix.Symlink(to, root+"/dev/"+name); err != nil {
			return err
		}
	}
	options := "newinstance,ptmxmode=0666,mode=0620,gid=5"
	if b.PTYs > 0 {
		options += fmt.Sprintf(",max=%d", b.PTYs)
	}
	if err := unix.Mkdir(root+"/dev/pts", 0o755); err != nil {
		return err
	}
	return mount("devpts", root+"/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, options)
}

func bindFile(from, to string) error {
	if err := host.PutFile(to, nil, 0o755, host.Owner{}); err != nil {
		return err
	}
	return mount(from, to, "", unix.MS_BIND, "")
}

func mount(source, target, kind string, flags uintptr, options string) error {
	if err := unix.Mount(source, target, kind, flags, options); err != nil {
		return fmt.Errorf("cannot mount %s %s on %s: %w", kind, source, target, err)
	}
	return nil
}
