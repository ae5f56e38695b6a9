package cli

import (
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
