package control

import "context"

// Service administers the stages of one gateway. Its errors are *[Error] where the request was wrong or refused,
// *[UnreachableError] where nobody answered, and whatever the store said otherwise.
type Service interface {
	// Stats gives the figures of one stage.
	Stats(ctx context.Context, stage string) (Stats, error)
	// AllStats gives the figures of every configured stage, sorted by name.
	AllStats(ctx context.Context) ([]Stats, error)
	// Flush empties a stage. It is done, and survives a crash, when it returns.
	Flush(ctx context.Context, stage string) (FlushResult, error)
	// Purge removes part of a stage, or makes it stale. It is done, and survives a crash, when it returns.
	Purge(ctx context.Context, stage string, p PurgeRequest) (PurgeResult, error)
	// Compact rewrites what is mostly dead and returns when that is done. The progress function may be nil; it is called
	// from the goroutine that called Compact. Cancelling ctx stops the work without harm.
	Compact(ctx context.Context, stage string, progress func(CompactProgress)) (CompactProgress, error)
	// Stages lists the configured stages and the orphaned directories, sorted by name.
	Stages(ctx context.Context) ([]StageInfo, error)
	// Stage tells a configured stage's effective settings, and where each comes from.
	Stage(ctx context.Context, name string) (StageDetail, error)
	// SetStage sets values of a stage at run time, or removes what was set. They are in force, and survive a crash, when it returns.
	SetStage(ctx context.Context, name string, r SetRequest) (StageDetail, error)
	// Explain says what would become of a request, and why. Only a running gateway can.
	Explain(ctx context.Context, stage string, r ExplainRequest) (Explanation, error)
	// RotateKeys wraps every stage on the disk with the root key that the configuration names now.
	RotateKeys(ctx context.Context) (RotateResult, error)
	// RemoveStage deletes the directory of a stage that is not configured any more.
	RemoveStage(ctx context.Context, name string) (RemoveResult, error)
}

// FlushResult says what a flush threw away.
type FlushResult struct {
	Stage          string  `json:"stage"`
	Entries        int64   `json:"entries"`
	Bytes          int64   `json:"bytes"`
	ElapsedSeconds float64 `json:"elapsed_seconds"`
}

// PurgeResult says how much a purge hit at most: the bound comes from counts, not from a search.
type PurgeResult struct {
	Stage string `json:"stage"`
	PurgeRequest
	AtMost         int64   `json:"at_most"`
	ElapsedSeconds float64 `json:"elapsed_seconds"`
}

// CompactProgress is how far a compaction is; the last one has Done set.
type CompactProgress struct {
	Stage          string  `json:"stage"`
	Segments       int     `json:"segments"`
	SegmentsDone   int     `json:"segments_done"`
	BytesRead      int64   `json:"bytes_read"`
	BytesTotal     int64   `json:"bytes_total"`
	BytesReclaimed int64   `json:"bytes_reclaimed"`
	ElapsedSeconds float64 `json:"elapsed_seconds"`
	Done           bool    `json:"done"`
}

// StageInfo is one line of the list of stages.
type StageInfo struct {
	Stage         string   `json:"stage"`
	Orphaned      bool     `json:"orphaned"` // on disk, but not in the configuration; the fields below Dir are then empty
	DiskBytes     int64    `json:"disk_bytes"`
	Dir           string   `json:"dir"`
	Mode          string   `json:"mode,omitempty"`
	BasePath      string   `json:"base_path,omitempty"`
	Hosts         []string `json:"hosts,omitempty"`
	CacheEnabled  bool     `json:"cache_enabled"`
	CapacityBytes int64    `json:"capacity_bytes,omitempty"`
}

// RemoveResult says what removing an orphaned stage gave back.
type RemoveResult struct {
	Stage     string `json:"stage"`
	Dir       string `json:"dir"`
	DiskBytes int64  `json:"disk_bytes"`
}
