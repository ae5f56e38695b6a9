package gateway

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/gateway/config"
)

// certificate is the data port's. A reload may replace it under running servers, and so may whoever renews its files: a
// handshake looks, every lookEvery at most, whether they have changed. Files that do not make a pair change nothing; the log says
// so once, and the next change is looked at again, for often the certificate is written a moment before its key.
type certificate struct {
	pair   atomic.Pointer[tls.Certificate]
	looked atomic.Int64 // when the files were looked at, in ns since 1970

	mu    sync.Mutex
	files config.TLS     // guarded by mu
	seen  [2]os.FileInfo // guarded by mu: the files as they were read last
}

// lookEvery is how long a changed certificate may go unseen while there are handshakes.
const lookEvery = time.Second

// load reads a certificate and its key; without a name it does nothing.
func (c *certificate) load(t config.TLS) error {
	if t.CertFile == "" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files = t
	c.seen = stat(t) // before they are read: what changes in between is seen as a change
	return c.read()
}

// read reads the files; mu is held.
func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.files.CertFile, c.files.KeyFile)
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	c.pair.Store(&pair)
	return nil
}

func stat(t config.TLS) (infos [2]os.FileInfo) {
	for i, name := range [...]string{t.CertFile, t.KeyFile} {
		infos[i], _ = os.Stat(name) // one that is not there is a change as well
	}
	return infos
}

func same(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == b
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// take makes another one's certificate this one's.
func (c *certificate) take(other *certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pair := other.pair.Load(); pair != nil {
		c.files, c.seen = other.files, other.seen // other is the caller's alone
		c.pair.Store(pair)
	}
}

func (c *certificate) on() bool { return c.pair.Load() != nil }

// get is asked in every handshake. Who looks at the files waits for them, nobody else does.
func (c *certificate) get(log *slog.Logger) *tls.Certificate {
	now := time.Now().UnixNano()
	if last := c.looked.Load(); now-last >= int64(lookEvery) && c.looked.CompareAndSwap(last, now) {
		c.look(log)
	}
	return c.pair.Load()
}

func (c *certificate) look(log *slog.Logger) {
	c.mu.Lock()
	defer c.mu.Unlock()
	infos := stat(c.files)
	if same(infos[0], c.seen[0]) && same(infos[1], c.seen[1]) {
		return
	}
	c.seen = infos
	if err := c.read(); err != nil {
		log.Error("the changed certificate cannot be used, the one before stays", "cert_file", c.files.CertFile, "key_file", c.files.KeyFile, "error", err)
		return
	}
	log.Info("the certificate has changed", "cert_file", c.files.CertFile)
}
