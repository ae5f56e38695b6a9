package cli

import (
	"errors"
	"fmt"
	"log/slog"

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
	cfg, err := c.loadConfig()
	if invalid, ok := errors.AsType[config.Errors](err); ok {
		return c.connectAnyway(invalid)
	}
	if err != nil {
		return nil, nil, err
	}
	conn, err := control.Connect(c.ctx, control.ConnectOptions{
		Config: cfg,
		Keys:   c.keys(cfg, cfg.DataDir),
		Logger: slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	return conn, cfg, err
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
