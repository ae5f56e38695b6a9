package config

import (
	"path/filepath"
	"time"
)

// Defaults of what the file leaves out; those of settings are in defaultSettings.
const (
	defaultListen         = "127.0.0.1:8080"
	defaultDataDir        = "data"
	defaultAPI            = "stagecache"
	defaultTimeout        = 29 * time.Second
	defaultMaxConnections = 256
	defaultCapacity       = 500_000_000
	defaultMemory         = 64_000_000
	defaultMaxObject      = 1_000_000
	defaultMaxTTL         = time.Hour
)

// Limits.
const (
	maxSocketPath     = 100        // bytes; the kernels' own limits are 104 to 108, and differ
	minCapacity       = 8 << 20    // one segment
	minMemory         = 48_000_000 // the memory tier's smallest step, and room beside it
	largestObject     = 64_000_000 // an object is held in memory as a whole
	objectsInCapacity = 8          // an object must leave room for others
	longestTTL        = 365 * 24 * time.Hour
	longestNegative   = 60 * time.Second
	longestTimeout    = time.Hour
	mostConnections   = 65536
)

// builder makes the configuration out of checked values, and reports what a value alone does not show.
type builder struct {
	*problems
	o   Options
	dir string // of the file: where relative paths begin
}

// path resolves a path of the file.
func (b *builder) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(b.dir, p)
}

// str is a text value, or fallback where the key is missing, wrong or empty.
func str(v *value, fallback string) string {
	if !v.ok() || v.text == "" {
		return fallback
	}
	return v.text
}

func (b *builder) config(v *value) *Config {
	c := &Config{File: b.file}
	if l := v.get("listen"); l.ok() && l.text == "" {
		b.add(l.line, l.field, "write "+defaultListen, "is empty")
	}
	c.Listen = str(v.get("listen"), defaultListen)
	if err := checkListen(c.Listen); err != nil {
		b.add(v.get("listen").line, "listen", "write 127.0.0.1:8080, or :8080 for every address of the machine", "%s: %s", quote(c.Listen), err)
	}
	c.TLS = b.pair(v.get("tls"))
	for _, x := range itemsOf(v.get("trusted_proxies")) {
		p, hint, err := parseNetwork(x.text)
		if err != nil {
			b.add(x.line, x.field, hint, "%s", err)
			continue
		}
		c.TrustedProxies = append(c.TrustedProxies, p)
	}
	c.DataDir = b.dataDir(v)
	c.Admin = b.admin(v, c.DataDir)
	c.Encryption = b.encryption(v.get("encryption"), c.DataDir)
	c.AccessLog.Format = str(v.get("access_log").get("format"), "json")
	if p := str(v.get("access_log").get("path"), ""); p == "-" {
		c.AccessLog.Path = p
	} else if p != "" {
		c.AccessLog.Path = b.path(p)
	}
	if a := str(v.get("audit_file"), ""); a != "" {
		c.AuditFile = b.path(a)
	}
	c.API = b.api(v.get("api"))
	c.Backends = b.backends(v.get("backends"))
	c.Stages = b.stages(v, c.Backends)
	b.keyNeeded(c, v)
	c.IAM = b.iam(v.get("iam"))
	b.adminReachable(v, c)
	return c
}

// itemsOf are the items that passed.
func itemsOf(v *value) []*value {
	if !v.ok() {
		return nil
	}
	var out []*value
	for _, x := range v.items {
		if x.ok() {
			out = append(out, x)
		}
	}
	return out
}

func (b *builder) dataDir(top *value) string {
	d := top.get("data_dir")
	if d.ok() && d.text == "" {
		b.add(d.line, d.field, "write ./data", "is empty")
	}
	return b.path(str(d, defaultDataDir))
}

func (b *builder) admin(top *value, dataDir string) Admin {
	v := top.get("admin")
	a := Admin{Socket: filepath.Join(dataDir, "admin.sock")}
	at, field := v.get("socket"), "admin.socket"
	if s := str(at, ""); s != "" {
		a.Socket = b.path(s)
	} else if d := top.get("data_dir"); d != nil {
		at = d
	}
	if len(a.Socket) > maxSocketPath {
		line := 1
		if at != nil {
			line = at.line
		}
		b.add(line, field, "set admin.socket to a shorter path, such as /run/stagecache/admin.sock",
			"the path of the unix socket is %d bytes long, more than %d", len(a.Socket), maxSocketPath)
	}
	a.Listen = str(v.get("listen"), "")
	a.TLS = b.pair(v.get("tls"))
	if i := v.get("insecure"); i.ok() {
		a.Insecure = i.flag
	}
	for _, h := range b.listed(v.get("hosts")) {
		host, err := cleanHost(h.text)
		if err != nil {
			b.add(h.line, h.field, "write cache.example.com", "%s %s", quote(h.text), err)
			continue
		}
		a.Hosts = append(a.Hosts, host)
	}
	return a
}

func (b *builder) api(v *value) API {
	id := str(v.get("id"), defaultAPI)
	if !validName(id) {
		b.add(v.get("id").line, v.get("id").field, "", "%s is not 1 to 128 letters, digits, - or _", quote(id))
	}
	return API{ID: id, Name: str(v.get("name"), id)}
}
