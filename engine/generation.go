package engine

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"path/filepath"
	"strings"

	"stagecache/crypto"
	"stagecache/internal/vfs"
	"stagecache/tier"
)

// A store's directory:
//
//	LOCK             held while the store is open
//	stage.key        wraps the keys of the current generation, and names it: replacing this file is the flush
//	gen-<id>/        the generation's segments and its purge list
//	aside-<id>/      what could not be read any more, kept until its room is needed
//	stage.key.aside  the stage-key file that belonged to it
const (
	stageKeyFile = "stage.key"
	genPrefix    = "gen-"
	asidePrefix  = "aside-"
	asideKeyFile = "stage.key.aside"
)

// generation is everything that one flush throws away.
type generation struct {
	dir    string
	keys   *crypto.StageKey
	hasher *crypto.Hasher
	disk   *tier.Disk
	purges *purgeList
	// seeds address memory: random per generation, so the memory of an older one is out of reach at once, and no client can
	// choose keys that collide.
	seeds [2]maphash.Seed
}

func (g *generation) memoryHash(key []byte) (h tier.Hash) {
	a, b := maphash.Bytes(g.seeds[0], key), maphash.Bytes(g.seeds[1], key)
	for i := range 8 {
		h[i], h[8+i] = byte(a>>(8*i)), byte(b>>(8*i))
	}
	return h
}

func genDir(id crypto.Generation) string { return genPrefix + id.String() }

// errStale says why a generation cannot go on although its key opened: its data is set aside and a new one begins.
type errStale struct{ why error }

func (e errStale) Error() string { return e.why.Error() }
func (e errStale) Unwrap() error { return e.why }

// errPlain: the keys are in the clear although there is a root key now. Whoever saw the file can open the data, so it is not
// carried on, nor kept.
type errPlain struct{ why error }

func (e errPlain) Error() string { return e.why.Error() }
func (e errPlain) Unwrap() error { return e.why }

// currentKeys reads the stage-key file. A nil key without an error: there is none yet. errStale: there was one, unreadable.
func (s *Store) currentKeys() (*crypto.StageKey, error) {
	path := filepath.Join(s.dir, stageKeyFile)
	data, err := s.o.FS.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys, used, err := crypto.OpenStageKey(data, s.o.Name, roots(s.o.Key, s.o.OldKeys)...)
	var plain *crypto.PlainKeyError
	switch {
	case errors.Is(err, crypto.ErrDamaged):
		return nil, errStale{fmt.Errorf("%s: %w", stageKeyFile, err)} // nothing can open what it wrapped
	case errors.As(err, &plain):
		return nil, errPlain{err}
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if used != s.o.Key {
		if err := keys.Rewrap(s.o.Key, s.replaceKeys); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

// writeKeys is for whoever opens, or holds flushMu.
func (s *Store) writeKeys(keys *crypto.StageKey) error {
	data, err := crypto.SealStageKey(s.root, keys)
	if err != nil {
		return err
	}
	return s.replaceKeys(data)
}

func (s *Store) replaceKeys(file []byte) error {
	return vfs.WriteFileAtomic(s.o.FS, filepath.Join(s.dir, stageKeyFile), file)
}

// openGeneration opens the data that keys belong to, or makes it (fresh).
func (s *Store) openGeneration(keys *crypto.StageKey, fresh bool) (*generation, error) {
	g := &generation{dir: filepath.Join(s.dir, genDir(keys.Generation())), keys: keys, hasher: keys.Hasher(),
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	if err := s.o.FS.MkdirAll(g.dir); err != nil {
		return nil, err
	}
	if err := s.o.FS.SyncDir(s.dir); err != nil {
		return nil, err
	}
	var err error
	g.purges, err = openPurgeList(g.dir, keys, s.o.FS, fresh)
	if errors.Is(err, errPurgeList) {
		return nil, errStale{err}
	}
	if err != nil {
		return nil, err
	}
	o := tier.DiskOptions{
		Judge: s.judge(g),
		Keys:  keys, Capacity: s.o.Capacity, Now: s.time.now, FS: s.o.FS, Codec: zstdCodec{}, Uptime: s.o.Clock.Mono,
		MaxBlob: s.o.MaxObject + entryOverhead, QueueBytes: s.o.budget().queue, IndexBytes: s.indexRoom.Load(), Block: s.o.Block,
		Reserved: s.reserved, Reclaim: s.reclaim, Report: s.o.Report,
	}
	if s.o.disk != nil {
		s.o.disk(&o)
	}
	g.disk, err = tier.OpenDisk(g.dir, o)
	if err != nil {
		_ = g.purges.close() // the error that matters is err
		return nil, err
	}
	_, stamp, mark := g.disk.AtOpen()
	switch head := g.purges.newest.Load(); {
	case stamp > head:
		err = fmt.Errorf("entries know of purge %d, the list ends at %d: it was rolled back", stamp, head)
	case mark > s.o.Clock.Wall().Add(maxAhead).UnixMilli():
		err = fmt.Errorf("entries were written at %s, which is far ahead of the clock", msTime(mark).UTC().Format("2006-01-02 15:04:05"))
	default:
		s.time.advance(mark)
		return g, nil
	}
	g.disk.Discard()
	_ = g.purges.close()
	return nil, errStale{err}
}

// newGeneration makes keys and an empty directory, and then the stage-key file that names them: with its replacement the old
// generation is gone for good.
func (s *Store) newGeneration() (*generation, error) {
	g, err := s.openGeneration(crypto.NewStageKey(s.o.Name), true)
	if err != nil {
		return nil, err
	}
	if err := s.writeKeys(g.keys); err != nil {
		if old := s.gen.Load(); old != nil {
			_ = s.writeKeys(old.keys) // what failed may have taken effect, and the store goes on with the old generation
		}
		s.discard(g)
		_ = vfs.RemoveTree(s.o.FS, g.dir) // else the next start removes it
		return nil, err
	}
	return g, nil
}

func (s *Store) discard(g *generation) {
	g.disk.Discard()
	_ = g.purges.close() // its directory is about to be removed
}

// setAside renames the data that can no longer be used, and its key file. Nothing is deleted yet; one such set is kept.
func (s *Store) setAside(why error) error {
	s.quarantined.Add(1)
	s.o.Report("generation set aside, a new one begins", s.dir, why)
	if err := s.removeOld(asidePrefix); err != nil {
		return err
	}
	entries, err := s.o.FS.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), genPrefix); ok {
			if err := s.o.FS.Rename(filepath.Join(s.dir, e.Name()), filepath.Join(s.dir, asidePrefix+id)); err != nil {
				return err
			}
		}
	}
	err = s.o.FS.Rename(filepath.Join(s.dir, stageKeyFile), filepath.Join(s.dir, asideKeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.o.FS.SyncDir(s.dir)
}

// reserved is disk space that counts as capacity besides the current generation's.
func (s *Store) reserved() int64 { return s.dying.Load() + s.aside.Load() + s.fixed.Load() }

// measure takes what directories, keys and purge list take, as du counts.
func (s *Store) measure(g *generation) {
	var sum int64
	for _, path := range []string{s.dir, filepath.Join(s.dir, stageKeyFile), g.dir, g.purges.path} {
		if n, err := s.o.FS.Usage(path); err == nil {
			sum += n
		}
	}
	s.fixed.Store(sum)
}

// reclaim gives up what was set aside, when its room is needed. It reports whether there was any.
func (s *Store) reclaim() bool {
	if s.aside.Swap(0) == 0 {
		return false
	}
	s.quarantined.Add(^uint64(0))                         // no longer there to be counted
	_ = s.o.FS.Remove(filepath.Join(s.dir, asideKeyFile)) // of no use without the data
	if err := s.removeOld(asidePrefix); err != nil {
		s.o.Report("data that was set aside could not be removed", s.dir, err)
	}
	return true
}

// removeOld removes directories with this prefix.
func (s *Store) removeOld(prefix string) error {
	entries, err := s.o.FS.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), prefix) {
			if err := vfs.RemoveTree(s.o.FS, filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
