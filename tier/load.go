package tier

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// damagedSuffix marks a file that was set aside because it could not be opened. It counts as capacity and is the first to go.
const damagedSuffix = ".damaged"

// scan opens every segment's header and footer: what must be known before anything is answered (sequences, engine time).
// A segment without a footer was being written when the process ended; its batch indexes say the same, and it is sealed now.
func (d *Disk) scan() ([]*segment, error) {
	entries, err := d.o.FS.ReadDir(d.dir)
	if err != nil {
		return nil, err
	}
	var out []*segment
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(d.dir, name)
		if strings.HasSuffix(name, damagedSuffix) {
			if n, err := d.o.FS.Usage(path); err == nil {
				d.quarantinedFiles.Add(n)
				d.quarantined.Add(1)
			}
			continue
		}
		id, ok := parseSegmentName(name)
		if !ok {
			continue // another file of the generation: not ours
		}
		d.nextSegment.Store(max(d.nextSegment.Load(), id))
		s, err := d.openSegment(id, path, out)
		if errors.Is(err, ErrDamaged) {
			d.setAside(path, err)
			continue
		}
		if err != nil {
			for _, s := range out {
				_ = s.closeFile(true) // it was only read
			}
			return nil, fmt.Errorf("%s: %w", name, err) // not for what is in the file: another start may do better
		}
		if s == nil {
			continue
		}
		d.addSegment(s)
		d.measure(s)
		out = append(out, s)
		d.loadedSeq = max(d.loadedSeq, s.totals.maxSeq)
		d.loadedStamp = max(d.loadedStamp, s.totals.maxStamp)
		d.loadedMark = max(d.loadedMark, s.totals.mark)
		for _, b := range s.batches {
			d.nextBatch.Store(max(d.nextBatch.Load(), b.number))
		}
	}
	slices.SortFunc(out, func(a, b *segment) int { return int(b.id) - int(a.id) })
	for _, s := range out { // the newest first
		if dict := s.dictionary.Load(); dict != nil {
			d.backdate(dict, out)
			d.dictionary.Store(dict)
			break
		}
	}
	return out, nil
}

// openSegment reads a segment's header and footer. nil without an error: there was nothing in it, and it is gone.
func (d *Disk) openSegment(id uint64, path string, others []*segment) (*segment, error) {
	s := &segment{fs: d.o.FS, files: &d.files, id: id, path: path}
	s.setState(stateSealed)
	if info, err := os.Stat(path); err == nil && info.Size() == 0 {
		return nil, d.o.FS.Remove(path) // created, and the process ended before anything was written
	}
	var footer bool
	var damaged error
	err := s.view(func(tx *bolt.Tx, base uintptr, pages *boltPages) error {
		meta, err := openSealer(tx, pages, d.o.Keys, id)
		if err != nil {
			return err
		}
		s.sealer = meta
		if pages.suspect {
			damaged = fmt.Errorf("meta page: %w", ErrDamaged)
		}
		if content, err := readDictionary(tx, pages, s.sealer); err != nil {
			damaged = cmp.Or(damaged, err) // what is packed without it can still be read
		} else if content != nil {
			s.dictionary.Store(d.shareDictionary(content, others))
		}
		b, err := bucketIn(tx, pages, bucketFooter)
		if err != nil {
			damaged = err
		}
		if b != nil {
			footer = true
			if s.batches, s.totals, err = openFooter(s.sealer, slices.Clone(b.Get(keyValue))); err == nil {
				return nil
			}
			damaged = err // the batches are still there
		}
		s.batches, s.totals = nil, totals{}
		return tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
			if number, ok := parseBatchName(name); ok {
				err = s.recoverBatch(tx, base, pages, number)
			} else if !bytes.Equal(name, bucketMeta) && !bytes.Equal(name, bucketFooter) && !bytes.Equal(name, bucketDictionary) {
				err = fmt.Errorf("bucket %q: %w", name, ErrDamaged)
			}
			damaged = cmp.Or(damaged, err)
			return nil
		})
	})
	if errors.Is(err, errNeverHad) || err == nil && len(s.batches) == 0 && damaged == nil {
		return nil, d.o.FS.Remove(path)
	}
	if err != nil {
		_ = s.closeFile(true) // the error that matters is err
		return nil, err
	}
	if damaged == nil && !footer {
		damaged = d.sealFound(s)
	}
	if s.slot, err = d.takeSlot(); err != nil {
		_ = s.closeFile(true)
		return nil, err
	}
	s.maxExpiry.Store(s.totals.maxExpiry)
	s.stream = classOf(max(0, s.totals.maxExpiry-s.totals.mark))
	if damaged != nil {
		d.strays.add(s)
		d.damage(s, damaged)
	}
	return s, nil
}

// recoverBatch adds one batch of a segment that has no footer.
func (s *segment) recoverBatch(tx *bolt.Tx, base uintptr, pages *boltPages, number uint64) error {
	ref, err := locateIn(tx, base, pages, number)
	if err != nil {
		return err
	}
	x, err := s.readIndex(ref)
	if err != nil {
		return err
	}
	s.batches = append(s.batches, ref)
	s.totals.add(x)
	return nil
}

// sealFound gives a footer to a segment that a crash left without one.
func (d *Disk) sealFound(s *segment) error {
	return guard(func() error {
		// The footer is one more message under the segment's key: go on counting where the process that wrote it stopped.
		s.sealer.Resume(uint64(s.totals.records) + uint64(len(s.batches)) + 1) // the dictionary
		footer, err := sealFooter(s.sealer, s.batches, &s.totals)
		if err != nil {
			return err
		}
		if err := CheckPages(d.o.FS, s.path); err != nil {
			return err
		}
		db, err := openBolt(s.path, boltOptions(d.o.FS, false, 0))
		if err != nil {
			return err
		}
		err = d.o.FS.Commit(s.path, func() error { return putFooter(db, footer) })
		used := usedBytes(db)
		err = errors.Join(err, db.Close())
		if err != nil {
			return err
		}
		return d.cut(s.path, used)
	})
}

// setAside renames a file that cannot be opened.
func (d *Disk) setAside(path string, why error) {
	d.quarantined.Add(1)
	d.o.Report("segment set aside", path, why)
	n, _ := d.o.FS.Usage(path)
	if err := d.o.FS.Rename(path, path+damagedSuffix); err != nil {
		d.o.Report("set aside failed", path, err)
		return
	}
	_ = d.o.FS.SyncDir(d.dir) // if the rename is lost, the next start sets it aside again
	d.quarantinedFiles.Add(n)
}

// removeAside removes one file that was set aside, if there is one.
func (d *Disk) removeAside() bool {
	if d.quarantinedFiles.Load() == 0 {
		return false
	}
	entries, err := d.o.FS.ReadDir(d.dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), damagedSuffix) {
			path := filepath.Join(d.dir, e.Name())
			n, _ := d.o.FS.Usage(path)
			if d.o.FS.Remove(path) == nil {
				d.quarantinedFiles.Add(-n)
				return true
			}
		}
	}
	d.quarantinedFiles.Store(0)
	return false
}

// loading is a start on its way through the batches.
type loading struct {
	jobs []loadJob // the newest batch first: what was stored last is most likely asked for next
	mu   sync.Mutex
	done []bool // guarded by mu: by job
	next int    // guarded by mu: all jobs before it are done
}

type loadJob struct {
	s   *segment
	ref batchRef
}

// startLoading lists the batches in found, and says that none of them is loaded.
func (d *Disk) startLoading(found []*segment) *loading {
	l := &loading{}
	for _, s := range found {
		for _, ref := range s.batches {
			l.jobs = append(l.jobs, loadJob{s, ref})
		}
	}
	slices.SortFunc(l.jobs, func(a, b loadJob) int { return cmp.Compare(b.ref.number, a.ref.number) })
	l.done = make([]bool, len(l.jobs))
	d.pass(l, 0)
	return l
}

// pass goes on to the first job from n on that is not done. The caller holds l.mu, or is alone.
func (d *Disk) pass(l *loading, n int) {
	for n < len(l.jobs) && l.done[n] {
		n++
	}
	if l.next = n; n < len(l.jobs) {
		d.unloaded.Store(l.jobs[n].ref.number)
	} else {
		d.unloaded.Store(0)
	}
}

// loadJob does one job.
func (d *Disk) loadJob(l *loading, b *loadedBatch, n int) {
	d.loadBatch(b, l.jobs[n].s, l.jobs[n].ref)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done[n] = true; n == l.next {
		d.pass(l, n)
	}
}

// mayBeOld tells whether a batch that is not loaded yet may hold something newer than what lies in s at off. Batches are numbered as they
// are committed, and a version is never committed after what supersedes it.
func (d *Disk) mayBeOld(s *segment, off uint32) bool {
	unloaded := d.unloaded.Load()
	return unloaded > 0 && s.batchAt(int64(off)) < unloaded
}

// batchAt is the number of the batch that off lies in; 0: in none.
func (s *segment) batchAt(off int64) uint64 {
	s.metaMu.Lock()
	defer s.metaMu.Unlock()
	for _, ref := range s.batches {
		if off >= ref.off && off < ref.off+ref.size {
			return ref.number
		}
	}
	return 0
}

// load fills the index from the batch indexes, on all processors. It never reads data.
func (d *Disk) load(l *loading) {
	defer d.loadOnce.Do(func() { close(d.loaded) })
	next := make(chan int)
	var wg sync.WaitGroup
	batches := make([]loadedBatch, runtime.GOMAXPROCS(0))
	for i := range batches {
		wg.Go(func() {
			for n := range next {
				d.loadJob(l, &batches[i], n)
			}
		})
	}
	for n := range l.jobs {
		if d.isClosed() {
			break
		}
		next <- n
	}
	close(next)
	wg.Wait()
	for i := range batches {
		d.settleCopies(&batches[i])
	}
	d.index.FinishLoading()
}
