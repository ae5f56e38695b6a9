package gateway

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"stagecache/crypto"
	"stagecache/engine"
	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/control"
	"stagecache/gateway/identity"
	"stagecache/gateway/metrics"
	"stagecache/internal/clock"
)

// Options are what a Gateway is made of. Config is required; Root is, where anything is to be encrypted.
type Options struct {
	Config  *config.Config
	Root    *crypto.RootKey   // nil: no entry is encrypted, and a configuration that asks for it is refused
	OldKeys []*crypto.RootKey // read until every stage is wrapped by Root
	Logger  *slog.Logger      // nil: nothing is logged
	Audit   *audit.Log        // where refreshes and purges by clients are recorded; nil: nowhere

	HeaderTimeout time.Duration // for a request's header; 0: 10 s
	IdleTimeout   time.Duration // of a client's connection between requests; 0: 75 s
	BodyTimeout   time.Duration // for each part of a request's body; 0: 30 s
	WriteTimeout  time.Duration // for a small answer, and for each part of a large one; 0: 30 s
	DrainTimeout  time.Duration // how long Serve lets requests finish when its context ends; 0: 30 s

	// Connections is how many clients may have at once: beyond that the one that has been idle for longest is closed. 0: what
	// the process's limit of descriptors leaves beside files and backends.
	Connections int

	Clock clock.Clock // what entries age by; nil: the machine's
}

func (o *Options) defaults() {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clock.System
	}
	for _, d := range []struct {
		d        *time.Duration
		fallback time.Duration
	}{
		{&o.HeaderTimeout, 10 * time.Second},
		{&o.IdleTimeout, 75 * time.Second},
		{&o.BodyTimeout, 30 * time.Second},
		{&o.WriteTimeout, 30 * time.Second},
		{&o.DrainTimeout, 30 * time.Second},
	} {
		if *d.d == 0 {
			*d.d = d.fallback
		}
	}
}

// Gateway is the data plane: everything between a client's request and its answer. Make one with New, and always Shutdown it.
type Gateway struct {
	o     Options
	log   *slog.Logger
	begun time.Time
	via   string // the name by which a request that comes round again is known

	state   atomic.Pointer[state] // the configuration at work
	access  accessLog
	metrics *metrics.Recorder
	demands limiter          // of refreshes that clients ask for
	memory  *identity.Memory // of signatures that were used
	cert    certificate
	crowd   *crowd

	ctx     context.Context // of all fetches; it ends when Shutdown has run out of time, or is done
	cancel  context.CancelCauseFunc
	fetches tracker
	leaving tracker // connections that were closed while a hit was on its way

	sites sitesOf // of every stage there was; also of removed ones, whose counters go on if the stage comes back

	mu      sync.Mutex     // held through Reload and the start of Shutdown
	down    chan struct{}  // closed when a Shutdown is done
	closed  bool           // guarded by mu
	servers []*http.Server // guarded by mu
}

// viaPrefix begins a gateway's member of a request's Via; eight hexadecimal digits follow.
const viaPrefix = "1.1 stagecache-"

func isOurVia(member string) bool {
	id, ok := strings.CutPrefix(member, viaPrefix)
	return ok && len(id) == 8 && strings.Trim(id, "0123456789abcdef") == ""
}

// New opens the stores of all stages and makes everything ready to serve. A stage's store is in <data_dir>/stages/<name>.
func New(o Options) (*Gateway, error) {
	if o.Config == nil {
		return nil, errors.New("no configuration")
	}
	o.defaults()
	var id [4]byte
	rand.Read(id[:]) // never fails, by its documentation
	g := &Gateway{o: o, log: o.Logger, crowd: newCrowd(o.Connections), begun: time.Now(), down: make(chan struct{}), metrics: metrics.NewRecorder(), via: viaPrefix + hex.EncodeToString(id[:])}
	g.memory = identity.NewMemory(g.now())
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	if err := g.start(o.Config); err != nil {
		g.cancel(errStop)
		return nil, err
	}
	return g, nil
}

func (g *Gateway) start(cfg *config.Config) error {
	if err := g.cert.load(cfg.TLS); err != nil {
		return err
	}
	log, err := openLog(cfg.AccessLog)
	if err != nil {
		return err
	}
	s, opened, err := g.build(cfg, nil)
	if err != nil {
		log.close()
		closeStores(opened)
		return err
	}
	g.access.turn(log)
	g.state.Store(s)
	g.warnOrphans(cfg)
	return nil
}

// Handler serves the data plane. It may be used without Serve; Shutdown then does not know of its requests, so whoever
// serves it ends them first.
func (g *Gateway) Handler() http.Handler { return http.HandlerFunc(g.serve) }

// Stores gives the store of every configured stage. A store that is being reopened is left out. They belong to the gateway:
// do not close them, and ask again after a Reload.
func (g *Gateway) Stores() map[string]*engine.Store {
	stores := make(map[string]*engine.Store)
	for _, st := range g.state.Load().stages {
		if store := st.store.Load(); store != nil {
			stores[st.name] = store
		}
	}
	return stores
}

// Store gives the store of a configured stage.
func (g *Gateway) Store(_ context.Context, stage string) (*engine.Store, error) {
	for _, st := range g.state.Load().stages {
		if st.name != stage {
			continue
		}
		if store := st.store.Load(); store != nil {
			return store, nil
		}
		return nil, fmt.Errorf("stage %s: its store is not open at the moment", stage)
	}
	return nil, nil
}

// Config is the configuration at work: after a Reload, the new one.
func (g *Gateway) Config() *config.Config { return g.state.Load().cfg }

// RequestStats are the counters of one stage; all zero for one that there never was.
func (g *Gateway) RequestStats(stage string) RequestStats {
	if st := g.sites.get(stage); st != nil {
		return st.counters.stats()
	}
	return RequestStats{}
}

// now is the time by which entries age. Timeouts go by the machine's clock, which does not jump.
func (g *Gateway) now() time.Time { return g.o.Clock.Wall() }

// Requests is RequestStats under the name that the control plane asks by.
func (g *Gateway) Requests(stage string) RequestStats { return g.RequestStats(stage) }

// Uptime is how long the gateway has been there.
func (g *Gateway) Uptime() time.Duration { return time.Since(g.begun) }

var _ control.Source = (*Gateway)(nil)

// WaitReady waits until every store has loaded its index, or ctx ends. A gateway serves before that too; it just misses.
func (g *Gateway) WaitReady(ctx context.Context) error {
	for name, store := range g.Stores() {
		select {
		case <-store.Ready():
		case <-ctx.Done():
			return fmt.Errorf("stage %s is still loading: %w", name, context.Cause(ctx))
		}
	}
	return nil
}
