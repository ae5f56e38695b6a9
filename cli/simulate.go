package cli

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"stagecache/gateway/config"
	"stagecache/gateway/iam"
	"stagecache/gateway/identity"
)

func (p *program) simulateCommand() *cli.Command {
	return p.leaf(command{
		name: "simulate", usage: "say what a user's policy decides, and by which statement",
		description: "Reads the configuration file; no gateway is asked, and no secret is needed. The exit code is 0 whatever the decision.",
		flags: []cli.Flag{
			&cli.StringFlag{Name: "user", Usage: "the `USER` of the configuration"},
			&cli.StringFlag{Name: "action", Usage: "the `ACTION`, such as execute-api:InvalidateCache"},
			&cli.StringFlag{Name: "resource", Usage: "the `ARN` that it is about"},
			&cli.StringFlag{Name: "source-ip", Usage: "the client's `ADDRESS`; without it no address is known"},
			&cli.StringFlag{Name: "time", Usage: "the `TIME` of the request, such as 2030-01-31T12:00:00Z (default: now)"},
			&cli.BoolFlag{DisableDefaultText: true, Name: "secure", Usage: "the request comes over TLS"},
			jsonFlag(),
		},
		run: (*call).simulate,
	})
}

// simulation is what iam simulate --json prints.
type simulation struct {
	User      string `json:"user"`
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Decision  string `json:"decision"` // "allowed", "explicitDeny" or "implicitDeny": AWS's words
	Reason    string `json:"reason"`
	Statement int    `json:"statement,omitempty"` // from 1; none for implicitDeny
	Sid       string `json:"sid,omitempty"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
}

func (c *call) simulate() error {
	for _, name := range []string{"user", "action", "resource"} {
		if c.flags.String(name) == "" {
			return usagef("cachectl iam simulate --help shows all flags", "cachectl iam simulate needs --%s", name)
		}
	}
	// What can be no action or ARN would be denied whatever the policy says, and nobody would notice the slip.
	if service, action, ok := strings.Cut(c.flags.String("action"), ":"); !ok || service == "" || action == "" || strings.ContainsAny(action, "*?") {
		return usagef("write execute-api:InvalidateCache", "--action %q is not one action", c.flags.String("action"))
	}
	if arn := c.flags.String("resource"); arn != "*" && (!strings.HasPrefix(arn, "arn:") || strings.Count(arn, ":") < 5) {
		return usagef("write arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/METHOD/path", "--resource %q is not an ARN", arn)
	}
	path, err := c.configFile()
	if err != nil {
		return err
	}
	cfg, err := config.Load(path, config.Options{LookupEnv: c.lookup, SkipFiles: true, Policies: true})
	if err != nil {
		return err
	}
	user, names := findUser(cfg, c.flags.String("user"))
	if user == nil {
		hint := "there are no users under iam"
		if len(names) > 0 {
			hint = "the users are: " + strings.Join(names, ", ")
		}
		return &hintedError{fmt.Errorf("there is no user %q", c.flags.String("user")), hint}
	}
	r := iam.Request{Actions: []string{c.flags.String("action")}, Resource: c.flags.String("resource"), Time: time.Now(), Secure: c.flags.Bool("secure")}
	for _, a := range identity.InvalidateCache { // one permission under two names
		if strings.EqualFold(a, r.Actions[0]) {
			r.Actions = identity.InvalidateCache
		}
	}
	if ip := c.flags.String("source-ip"); ip != "" {
		if r.SourceIP, err = netip.ParseAddr(ip); err != nil {
			return usagef("write 192.0.2.7", "--source-ip is not an address")
		}
	}
	if at := c.flags.String("time"); at != "" {
		if r.Time, err = time.Parse(time.RFC3339, at); err != nil {
			return usagef("write 2030-01-31T12:00:00Z", "--time is not a time")
		}
	}
	return c.showDecision(cfg, user, user.Policy.Decide(r))
}

func findUser(cfg *config.Config, name string) (found *config.User, names []string) {
	for i := range cfg.IAM.Users {
		u := &cfg.IAM.Users[i]
		names = append(names, u.Name)
		if u.Name == name {
			found = u
		}
	}
	return found, names
}

func (c *call) showDecision(cfg *config.Config, user *config.User, d iam.Decision) error {
	out := simulation{
		User: user.Name, Action: c.flags.String("action"), Resource: c.flags.String("resource"), Decision: "implicitDeny", Reason: d.Reason(),
	}
	if s := d.Statement; s != nil {
		out.Decision, out.Statement, out.Sid, out.Line = "explicitDeny", s.Index, s.Sid, s.Line
		if d.Allowed {
			out.Decision = "allowed"
		}
		if out.File = user.PolicyFile; out.File == "" {
			out.File = cfg.File
		}
	}
	if c.json() {
		return c.printJSON(out)
	}
	word := "denied"
	if d.Allowed {
		word = "allowed"
	}
	if d.Statement == nil {
		c.printf("%s: %s", word, out.Reason)
		return nil
	}
	c.printf("%s: %s (%s:%d)", word, out.Reason, out.File, out.Line)
	return nil
}
