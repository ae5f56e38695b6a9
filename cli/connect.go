package cli

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
)

// configFile is the configuration file of this call: --config, or the usual places.
func (c *call) configFile() (string, error) {
	path, err := config.Find(c.flags.String("config"), c.lookup)
	if err != nil {
		return "", &hintedError{err, "cachectl serve --demo needs no configuration"}
	}
	return path, nil
}

// loadConfig reads the configuration for a command that administers: keys and certificates are looked at when, and if,
// they are needed, so that the owner of the admin socket need not be able to read them.
func (c *call) loadConfig() (*config.Config, error) {
	path, err := c.configFile()
	if err != nil {
		return nil, err
	}
	return config.Load(path, config.Options{LookupEnv: c.lookup, SkipFiles: true})
}

// connect reaches the gateway, or opens the stores of one that is not running.
func (c *call) connect() (*control.Connection, *config.Config, error) {
	if c.flags.String("admin") != "" {
		return c.connectRemote()
	}
	for _, name := range []string{"token-file", "ca"} {
		if c.flags.String(name) != "" {
			return nil, nil, usagef("add --admin URL", "--%s needs --admin", name)
		}
	}
	cfg, err := c.loadConfig()
	if invalid, ok := errors.AsType[config.Errors](err); ok {
		return c.connectAnyway(invalid)
	}
	if err != nil {
		return nil, nil, err
	}
	log := slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	conn, err := control.Connect(c.ctx, control.ConnectOptions{Config: cfg, Keys: c.keys(cfg, cfg.DataDir), Logger: log})
	if err == nil {
		c.record(conn, cfg, log)
	}
	return conn, cfg, err
}

// record sees to it that what is done to stores that no gateway uses is on record too, where there is a file for it.
func (c *call) record(conn *control.Connection, cfg *config.Config, log *slog.Logger) {
	off, ok := conn.Service.(*control.Offline)
	if !ok || cfg.AuditFile == "" {
		return
	}
	records, err := audit.Open(cfg.AuditFile, log)
	if err != nil {
		c.complain("warning: "+err.Error()+": what is done now is not on record", "")
		return
	}
	off.Audit = records // each line is written when it is made, so nothing is lost when the process ends
	c.ctx = audit.With(c.ctx, audit.Actor{Via: "offline"})
}

// maxFlagFile bounds a file that a flag names, in bytes.
const maxFlagFile = 1 << 20

// connectRemote reaches a gateway over the network. Its configuration is its own business, so an empty one is given.
func (c *call) connectRemote() (*control.Connection, *config.Config, error) {
	if c.flags.String("config") != "" {
		return nil, nil, usagef("leave out one of them", "--admin and --config name two gateways")
	}
	file := c.flags.String("token-file")
	if file == "" {
		return nil, nil, usagef("the file holds a token of a user in the gateway's configuration", "--admin needs --token-file")
	}
	token, err := readFlagFile(file)
	if err != nil {
		return nil, nil, err
	}
	o := control.RemoteOptions{URL: c.flags.String("admin"), Token: strings.TrimSpace(string(token))}
	if strings.ContainsFunc(o.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, nil, fmt.Errorf("%s holds no token: there is a space in it, or what no token has", file)
	}
	if ca := c.flags.String("ca"); ca != "" {
		if o.CA, err = readFlagFile(ca); err != nil {
			return nil, nil, err
		}
	}
	conn, err := control.ConnectRemote(c.ctx, o)
	return conn, &config.Config{}, err
}

func readFlagFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFlagFile+1))
	if err == nil && len(b) > maxFlagFile {
		err = fmt.Errorf("%s is larger than %d bytes", path, maxFlagFile)
	}
	return b, err
}

// connectAnyway reaches a gateway whose file was spoilt after it was read: that is no reason not to flush it. It needs a
// gateway that answers where the file says; a store is not opened by a file that is wrong.
func (c *call) connectAnyway(invalid config.Errors) (*control.Connection, *config.Config, error) {
	path, err := c.configFile()
	if err != nil {
		return nil, nil, err
	}
	cfg, err := config.LoadPlace(path, config.Options{LookupEnv: c.lookup, SkipFiles: true})
	if err != nil {
		return nil, nil, invalid
	}
	conn, err := control.ConnectRunning(c.ctx, cfg.Admin.Socket)
	if err != nil {
		return nil, nil, invalid
	}
	c.complain(fmt.Sprintf("warning: %s has %s, such as line %d: the running gateway is asked nevertheless",
		path, plural(int64(len(invalid)), "error", "errors"), max(1, invalid[0].Line)),
		"cachectl config check "+shellQuote(path)+" shows what is wrong; the gateway goes on with what it read before")
	return conn, cfg, nil
}

// keys reads the root keys when it is called.
func (c *call) keys(cfg *config.Config, dataDir string) func() (control.Keys, error) {
	return func() (control.Keys, error) {
		root, old, err := cfg.Encryption.RootKeys(dataDir, c.lookup)
		return control.Keys{Root: root, Old: old}, err
	}
}

// administer runs f on the gateway, or on the stores of one that is not running, and closes what was opened.
func (c *call) administer(f func(*control.Connection, *config.Config) error) (err error) {
	conn, cfg, err := c.connect()
	if err != nil {
		return err
	}
	defer func() {
		if cerr := conn.Close(); err == nil {
			err = cerr
		}
	}()
	return f(conn, cfg)
}
