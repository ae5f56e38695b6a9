package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stagecache/gateway/config"
	"stagecache/internal/dirlock"
)

// listStages merges the configuration's stages with the directories on disk.
func listStages(cfg *config.Config) ([]StageInfo, error) {
	var list []StageInfo
	for _, s := range cfg.Stages {
		dir := StageDir(cfg.DataDir, s.Name)
		used, err := diskUsage(dir)
		if err != nil {
			return nil, err
		}
		list = append(list, StageInfo{
			Stage:         s.Name,
			DiskBytes:     used,
			Dir:           dir,
			Mode:          s.Mode,
			BasePath:      s.BasePath,
			Hosts:         s.Hosts,
			CacheEnabled:  s.Cache.Enabled,
			CapacityBytes: s.Cache.Capacity,
		})
	}
	orphans, err := Orphans(cfg)
	if err != nil {
		return nil, err
	}
	list = append(list, orphans...)
	slices.SortFunc(list, func(a, b StageInfo) int { return strings.Compare(a.Stage, b.Stage) })
	return list, nil
}

// Orphans are the stage directories on disk that the configuration does not name: a gateway warns about them at start.
func Orphans(cfg *config.Config) ([]StageInfo, error) {
	names, err := StageDirs(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	var list []StageInfo
	for _, name := range names {
		if findStage(cfg, name) != nil {
			continue
		}
		dir := StageDir(cfg.DataDir, name)
		used, err := diskUsage(dir)
		if err != nil {
			return nil, err
		}
		list = append(list, StageInfo{Stage: name, Orphaned: true, DiskBytes: used, Dir: dir})
	}
	return list, nil
}

// StageDirs gives the names of the stage directories in a data directory, sorted. There may be none.
func StageDirs(dataDir string) ([]string, error) {
	entries, err := os.ReadDir(StagesDir(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the stages on disk: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// removeOrphan deletes the directory of a stage that is not configured.
func removeOrphan(cfg *config.Config, name string) (RemoveResult, error) {
	if findStage(cfg, name) != nil {
		return RemoveResult{}, conflict(
			fmt.Sprintf("remove it from %s first, then reload or stop the gateway; cachectl flush --stage %s empties it", cfg.File, name),
			"stage %q is configured, so its directory is in use", name)
	}
	// Only a name that the directory itself lists is joined to a path: "..", separators and links cannot lead elsewhere.
	names, err := StageDirs(cfg.DataDir)
	if err != nil {
		return RemoveResult{}, err
	}
	if !slices.Contains(names, name) {
		return RemoveResult{}, &Error{
			Status:   http.StatusNotFound,
			Message:  fmt.Sprintf("there is no stage %q in the configuration or on the disk", name),
			HintText: "cachectl stage list shows what there is",
		}
	}
	dir := StageDir(cfg.DataDir, name)
	used, err := diskUsage(dir)
	if err != nil {
		return RemoveResult{}, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return RemoveResult{}, fmt.Errorf("removing stage %s: %w", name, err)
	}
	// unlink..., rmdir, fsync of the parent: what was reported as removed does not come back after a power cut
	if err := syncDir(StagesDir(cfg.DataDir)); err != nil {
		return RemoveResult{}, fmt.Errorf("removing stage %s: %w", name, err)
	}
	return RemoveResult{Stage: name, Dir: dir, DiskBytes: used}, nil
}

// flushLeft removes what a stage whose cache is off has left on the disk from the time when it was on.
func (l *Local) flushLeft(stage string) (r FlushResult, err error) {
	err = l.Exclusive(func() error {
		cfg := l.src.Config()
		if s := findStage(cfg, stage); s == nil || s.Cache.Enabled {
			return conflict("try again", "stage %s was reconfigured meanwhile", stage)
		}
		began := time.Now()
		r, err = removeLeft(cfg, stage)
		r.ElapsedSeconds = time.Since(began).Seconds()
		return err
	})
	return r, err
}

func removeLeft(cfg *config.Config, stage string) (FlushResult, error) {
	r := FlushResult{Stage: stage}
	dir := StageDir(cfg.DataDir, stage)
	lock, err := dirlock.Acquire(dir)
	var held *dirlock.HeldError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return r, nil
	case errors.As(err, &held):
		return r, conflict("restart the gateway, then try again", "the directory of stage %s is still in use", stage)
	case err != nil:
		return r, fmt.Errorf("stage %s: %w", stage, err)
	}
	if r.Bytes, err = diskUsage(dir); err == nil {
		err = os.RemoveAll(dir)
	}
	if err = errors.Join(err, lock.Release()); err == nil {
		// unlink..., rmdir, fsync of the parent: what was reported as flushed does not come back after a power cut
		err = syncDir(StagesDir(cfg.DataDir))
	}
	if err != nil {
		return r, fmt.Errorf("flushing stage %s: %w", stage, err)
	}
	return r, nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func findStage(cfg *config.Config, name string) *config.Stage {
	for _, s := range cfg.Stages {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// diskUsage is what du says: 0 for a directory that does not exist. Files that go away meanwhile are not an error, for a
// running store unlinks segments whenever it likes.
func diskUsage(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil {
			var fi fs.FileInfo
			if fi, err = d.Info(); err == nil {
				sum += allocated(fi)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("measuring %s: %w", dir, err)
	}
	return sum, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
