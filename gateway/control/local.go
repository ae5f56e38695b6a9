package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stagecache/engine"
	"stagecache/gateway/audit"
	"stagecache/gateway/config"
	"stagecache/gateway/overrides"
)

// Source is what a Local administers: a running gateway, or the stores of one that is not running.
type Source interface {
	// Config is the configuration in force.
	Config() *config.Config
	// Store gives the open store of a configured stage whose cache is enabled; nil where there is none (nothing on disk yet).
	Store(ctx context.Context, stage string) (*engine.Store, error)
	// Requests gives what only the gateway counts.
	Requests(stage string) RequestStats
	// Uptime is how long the gateway has been running; 0 offline.
	Uptime() time.Duration
}

// flushSource is a Source that opens stores itself. For a flush it may begin anew where there is nothing to go on with; for
// anything else that would be a loss that nobody asked for.
type flushSource interface {
	StoreToFlush(ctx context.Context, stage string) (*engine.Store, error)
}

// Local is the Service over stores in this process.
type Local struct {
	src Source

	// Overrides is what was set at run time, and Audit where invalidations and changes are recorded; either may be nil. Set all
	// of these
	// before the Local is used.
	Overrides *overrides.Manager
	Audit     *audit.Log
	// Rotate does what RotateKeys asks for; nil: nobody can.
	Rotate func(context.Context) (RotateResult, error)

	// change is held while stages are removed and while the configuration is replaced: a directory must not become a
	// configured stage again between the check and its removal.
	change sync.Mutex

	mu         sync.Mutex      // guards compacting
	compacting map[string]bool // stages that are being compacted: one compaction at a time each
}

// NewLocal gives the Service over src.
func NewLocal(src Source) *Local {
	return &Local{src: src, compacting: make(map[string]bool)}
}

var _ Service = (*Local)(nil)

// Exclusive runs f while no stage is being removed. A gateway replaces its configuration inside it.
func (l *Local) Exclusive(f func() error) error {
	l.change.Lock()
	defer l.change.Unlock()
	return f()
}

// store finds a configured stage and its store, which is nil where there is none: no source is asked for that of a stage
// whose cache is off, for asking might make it.
func (l *Local) store(ctx context.Context, stage string) (*config.Stage, *engine.Store, error) {
	return l.storeFrom(ctx, stage, l.src.Store)
}

func (l *Local) storeFrom(ctx context.Context, stage string, open func(context.Context, string) (*engine.Store, error)) (*config.Stage, *engine.Store, error) {
	cfg := l.src.Config()
	s := findStage(cfg, stage)
	if s == nil {
		return nil, nil, noStage(cfg, stage)
	}
	if !s.Cache.Enabled {
		return s, nil, nil
	}
	st, err := open(ctx, stage)
	if err != nil {
		return nil, nil, stageError(stage, err)
	}
	return s, st, nil
}

// stageError names the stage, and explains what a reload can do to a request that is under way.
func stageError(stage string, err error) error {
	if errors.Is(err, engine.ErrClosed) {
		return conflict("try again", "stage %s was closed or reconfigured meanwhile", stage)
	}
	return fmt.Errorf("stage %s: %w", stage, err)
}

// Stats implements Service.
func (l *Local) Stats(ctx context.Context, stage string) (Stats, error) {
	s, st, err := l.store(ctx, stage)
	if err != nil {
		return Stats{}, err
	}
	var es engine.Stats
	capacity := s.Cache.Capacity
	switch {
	case st != nil:
		es = st.Stats()
	case !s.Cache.Enabled:
		capacity = 0
		if es.DiskBytes, err = diskUsage(StageDir(l.src.Config().DataDir, stage)); err != nil {
			return Stats{}, err
		}
	}
	return newStats(stage, capacity, es, l.src.Requests(stage), l.src.Uptime()), nil
}

// AllStats implements Service.
func (l *Local) AllStats(ctx context.Context) ([]Stats, error) {
	list := []Stats{}
	for _, s := range l.src.Config().Stages {
		st, err := l.Stats(ctx, s.Name)
		if err != nil {
			return nil, err
		}
		list = append(list, st)
	}
	return list, nil
}

// Flush implements Service.
func (l *Local) Flush(ctx context.Context, stage string) (r FlushResult, err error) {
	defer func() {
		l.Audit.Write(ctx, audit.Record{Action: audit.Flush, Stage: stage, AtMost: r.Entries, Error: audit.Text(err)})
	}()
	return l.flush(ctx, stage)
}

func (l *Local) flush(ctx context.Context, stage string) (FlushResult, error) {
	open := l.src.Store
	if src, ok := l.src.(flushSource); ok {
		open = src.StoreToFlush
	}
	s, st, err := l.storeFrom(ctx, stage, open)
	switch {
	case err != nil:
		return FlushResult{}, err
	case !s.Cache.Enabled:
		return l.flushLeft(stage)
	case st == nil:
		return FlushResult{Stage: stage}, nil
	}
	r, err := st.Flush(ctx)
	if err != nil {
		return FlushResult{}, stageError(stage, err)
	}
	return FlushResult{Stage: stage, Entries: r.Entries, Bytes: r.Bytes, ElapsedSeconds: r.Elapsed.Seconds()}, nil
}

// Purge implements Service.
func (l *Local) Purge(ctx context.Context, stage string, p PurgeRequest) (r PurgeResult, err error) {
	defer func() {
		l.Audit.Write(ctx, audit.Record{
			Action: audit.Purge, Stage: stage, What: p.what(), Soft: p.Soft, AtMost: r.AtMost, Error: audit.Text(err),
		})
	}()
	return l.purge(ctx, stage, p)
}

func (l *Local) purge(ctx context.Context, stage string, p PurgeRequest) (PurgeResult, error) {
	if err := p.Check(); err != nil {
		return PurgeResult{}, err
	}
	s, st, err := l.store(ctx, stage)
	if err != nil {
		return PurgeResult{}, err
	}
	if st == nil {
		if s.Cache.Enabled || !exists(StageDir(l.src.Config().DataDir, stage)) {
			return PurgeResult{Stage: stage, PurgeRequest: p}, nil
		}
		// It would come back with the cache, and nobody would know that it was to be gone.
		return PurgeResult{}, conflict(fmt.Sprintf("cachectl flush --stage %s removes all of it", stage),
			"the cache of stage %s is off, but what it stored before is on the disk: it cannot be purged in part", stage)
	}
	targets, err := l.targets(stage, p)
	if err != nil {
		return PurgeResult{}, err
	}
	out := PurgeResult{Stage: stage, PurgeRequest: p}
	for _, t := range targets {
		r, err := st.Purge(ctx, t, p.mode())
		if err != nil {
			return PurgeResult{}, stageError(stage, err)
		}
		out.AtMost += r.AtMost
		out.ElapsedSeconds += r.Elapsed.Seconds()
	}
	return out, nil
}

// Compact implements Service.
func (l *Local) Compact(ctx context.Context, stage string, progress func(CompactProgress)) (CompactProgress, error) {
	_, st, err := l.store(ctx, stage)
	if err != nil {
		return CompactProgress{}, err
	}
	if st == nil {
		return CompactProgress{Stage: stage, Done: true}, nil
	}
	if !l.beginCompaction(stage) {
		return CompactProgress{}, conflict("wait for it to end", "stage %s is being compacted already", stage)
	}
	defer l.endCompaction(stage)

	began := time.Now()
	convert := func(p engine.CompactProgress) CompactProgress {
		return CompactProgress{
			Stage: stage, Segments: p.Segments, SegmentsDone: p.SegmentsDone, BytesRead: p.BytesRead, BytesTotal: p.BytesTotal,
			BytesReclaimed: p.BytesReclaimed, ElapsedSeconds: time.Since(began).Seconds(), Done: p.Done,
		}
	}
	report := func(p engine.CompactProgress) {
		if progress != nil {
			progress(convert(p))
		}
	}
	last, err := st.Compact(ctx, report)
	if err != nil {
		return convert(last), stageError(stage, err)
	}
	last.Done = true
	return convert(last), nil
}

func (l *Local) beginCompaction(stage string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.compacting[stage] {
		return false
	}
	l.compacting[stage] = true
	return true
}

func (l *Local) endCompaction(stage string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.compacting, stage)
}

// Stages implements Service.
func (l *Local) Stages(ctx context.Context) ([]StageInfo, error) {
	return listStages(l.src.Config())
}

// Stage implements Service.
func (l *Local) Stage(ctx context.Context, name string) (StageDetail, error) {
	cfg := l.src.Config()
	s := findStage(cfg, name)
	if s == nil {
		return StageDetail{}, noStage(cfg, name)
	}
	return detail(cfg, s), nil
}

// RemoveStage implements Service.
func (l *Local) RemoveStage(ctx context.Context, name string) (RemoveResult, error) {
	var r RemoveResult
	err := l.Exclusive(func() (err error) {
		r, err = removeOrphan(l.src.Config(), name)
		return err
	})
	l.Audit.Write(ctx, audit.Record{Action: audit.Remove, Stage: name, What: r.Dir, Error: audit.Text(err)})
	return r, err
}
