package control

import (
	"context"
	"net/http"
	"sync"
)

// fake is a Service that remembers what it was asked, and answers what it is told to.
type fake struct {
	mu    sync.Mutex
	asked []string
	err   error

	compact func(ctx context.Context, progress func(CompactProgress)) (CompactProgress, error)
}

func (f *fake) ask(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
	return f.err
}

func (f *fake) Stats(_ context.Context, stage string) (Stats, error) {
	if stage == "none" {
		return Stats{}, &Error{Status: http.StatusNotFound, Message: `there is no stage "none"`, HintText: "the stages are: prod"}
	}
	return Stats{Stage: stage, Hits: 3, Misses: 1, HitRatio: 0.75}, f.ask("stats " + stage)
}

func (f *fake) AllStats(context.Context) ([]Stats, error) {
	return []Stats{{Stage: "dev"}, {Stage: "prod"}}, f.ask("stats")
}

func (f *fake) Flush(_ context.Context, stage string) (FlushResult, error) {
	return FlushResult{Stage: stage, Entries: 7, Bytes: 700, ElapsedSeconds: 0.001}, f.ask("flush " + stage)
}

func (f *fake) Purge(_ context.Context, stage string, p PurgeRequest) (PurgeResult, error) {
	if err := p.Check(); err != nil {
		return PurgeResult{}, err
	}
	return PurgeResult{Stage: stage, PurgeRequest: p, AtMost: 2}, f.ask("purge " + stage + " " + p.Path + p.Tag)
}

func (f *fake) Compact(ctx context.Context, stage string, progress func(CompactProgress)) (CompactProgress, error) {
	if err := f.ask("compact " + stage); err != nil {
		return CompactProgress{}, err
	}
	return f.compact(ctx, progress)
}

func (f *fake) Stages(context.Context) ([]StageInfo, error) {
	return []StageInfo{{Stage: "prod", CacheEnabled: true}, {Stage: "gone", Orphaned: true}}, f.ask("stages")
}

func (f *fake) Stage(_ context.Context, name string) (StageDetail, error) {
	return StageDetail{Stage: name, Mode: "apigateway"}, f.ask("stage " + name)
}

func (f *fake) SetStage(_ context.Context, name string, r SetRequest) (StageDetail, error) {
	return StageDetail{Stage: name}, f.ask("set " + name + " " + r.Entry)
}

func (f *fake) Explain(_ context.Context, stage string, r ExplainRequest) (Explanation, error) {
	return Explanation{Stage: stage, URL: r.URL}, f.ask("explain " + stage + " " + r.Method)
}

func (f *fake) RotateKeys(context.Context) (RotateResult, error) {
	return RotateResult{KeyID: "0123456789abcdef", Stages: []RotatedStage{{Stage: "prod", State: Rewrapped}}}, f.ask("rotate")
}

func (f *fake) RemoveStage(_ context.Context, name string) (RemoveResult, error) {
	return RemoveResult{Stage: name, DiskBytes: 9}, f.ask("remove " + name)
}
