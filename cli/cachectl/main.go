// Command cachectl runs and administers stagecache: an encrypted, persistent response cache in front of HTTP APIs.
package main

import (
	"os"

	"stagecache/cli"
)

func main() {
	os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr))
}
