package cli

import (
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"
)

// version is set when a release is linked: -ldflags "-X stagecache/cli.version=1.2.3".
var version string

// versionResult is what version --json prints.
type versionResult struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision
	Modified bool   `json:"modified"`       // the source had changes that the revision does not have
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func (p *program) versionCommand() *cli.Command {
	return p.leaf(command{
		name: "version", usage: "print the version",
		flags: []cli.Flag{jsonFlag()},
		run: func(c *call) error {
			v := buildVersion()
			if c.json() {
				return c.printJSON(v)
			}
			text := "cachectl " + v.Version
			if v.Revision != "" {
				text += " (" + v.Revision[:min(12, len(v.Revision))]
				if v.Modified {
					text += ", modified"
				}
				text += ")"
			}
			c.printf("%s %s %s/%s", text, v.Go, v.OS, v.Arch)
			return nil
		},
	})
}

func buildVersion() versionResult {
	v := versionResult{Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if v.Version == "" && info.Main.Version != "(devel)" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "vcs.time":
				v.Time = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	if v.Version == "" {
		v.Version = "devel"
	}
	return v
}
