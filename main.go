// Command sshtay finds out why an SSH connection resets, drops or freezes,
// and proves it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sshtay/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends us without ceremony
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
