package tier

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"

	"stagecache/crypto"
)

// createSegment makes an active segment. Its header goes to the disk with its first batch.
func (d *Disk) createSegment(stream int) (*segment, error) {
	slot, err := d.takeSlot()
	if err != nil {
		return nil, err
	}
	id := d.nextSegment.Add(1)
	header, sealer, err := d.o.Keys.NewSegment(id)
	if err != nil {
		d.freeSlot(slot)
		return nil, err
	}
	s := &segment{fs: d.o.FS, files: &d.files, id: id, slot: slot, stream: stream, path: filepath.Join(d.dir, segmentName(id)), sealer: sealer, born: d.uptime()}
	err = guard(func() error {
		s.db, err = openBolt(s.path, boltOptions(s.fs, false, int(d.segmentSize)+4*maxRound+d.o.MaxBlob))
		if err != nil {
			return err
		}
		s.db.AllocSize = d.allocSize(s)
		return d.o.FS.Commit(s.path, func() error {
			return s.db.Update(func(tx *bolt.Tx) error {
				b, err := tx.CreateBucket(bucketMeta)
				if err != nil {
					return err
				}
				return b.Put(keyHeader, header.Append(nil))
			})
		})
	})
	if err == nil {
		err = d.o.FS.SyncDir(d.dir) // the file's name must not be lost after a batch in it was acknowledged
	}
	if err != nil {
		if s.db != nil {
			_ = guard(s.db.Close)
		}
		_ = d.o.FS.Remove(s.path)
		d.freeSlot(slot)
		return nil, fmt.Errorf("create segment: %w", err)
	}
	d.measure(s)
	d.addSegment(s)
	d.dictionaries[stream].Store(nil)
	return s, nil
}

// allocSize is by how much bbolt grows the file at a time, with a sync each time: in small steps while the segment is small,
// so that a small store stays small.
func (d *Disk) allocSize(s *segment) int {
	return int(min(max(s.fileBytes.Load()/4, 64<<10), d.segmentSize/16))
}

func segmentName(id uint64) string { return fmt.Sprintf("seg-%016x.db", id) }

func parseSegmentName(name string) (id uint64, ok bool) {
	if len(name) != 23 {
		return 0, false
	}
	_, err := fmt.Sscanf(name, "seg-%016x.db", &id)
	return id, err == nil && segmentName(id) == name
}

// measure takes the segment's size as du counts it.
func (d *Disk) measure(s *segment) {
	if n, err := d.o.FS.Usage(s.path); err == nil {
		d.diskBytes.Add(n - s.fileBytes.Swap(n))
	}
}

// append commits value as the next batch, fsync included, and returns where it lies.
func (d *Disk) append(s *segment, number uint64, value []byte) (batchRef, error) {
	err := guard(func() error {
		s.db.AllocSize = d.allocSize(s)
		return d.o.FS.Commit(s.path, func() error {
			return s.db.Update(func(tx *bolt.Tx) error {
				if err := s.putDictionary(tx); err != nil {
					return err
				}
				b, err := tx.CreateBucket(batchName(number))
				if err != nil {
					return err
				}
				return b.Put(keyValue, value)
			})
		})
	})
	if err != nil {
		return batchRef{}, err
	}
	s.dictionaryStored = s.dictionary.Load() != nil
	d.written.Add(int64(len(value)))
	d.measure(s)
	return s.locate(number)
}

// seal writes the footer, closes the database and cuts the file to its used length. On any error the segment just stays
// without a footer, which a start can read as well; it is never written again either way.
func (d *Disk) seal(s *segment) {
	err := guard(func() error {
		if d.isDiscarded() {
			return ErrClosed
		}
		footer, err := sealFooter(s.sealer, s.batches, &s.totals)
		if err != nil {
			return err
		}
		return d.o.FS.Commit(s.path, func() error { return putFooter(s.db, footer) })
	})
	s.dbMu.Lock()
	used := usedBytes(s.db)
	closeErr := guard(s.db.Close)
	s.db = nil
	s.dbMu.Unlock()
	if err == nil && closeErr == nil {
		_ = d.cut(s.path, used) // only room is lost if this fails
	}
	s.setState(stateSealed)
	if s.suspect.Load() {
		s.setState(stateDamaged)
	}
	d.measure(s)
}

func putFooter(db *bolt.DB, footer []byte) error {
	return db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucketFooter)
		if err != nil {
			return err
		}
		return b.Put(keyValue, footer)
	})
}

// usedBytes is up to where bbolt has used the file; 0: unknown.
func usedBytes(db *bolt.DB) (n int64) {
	err := guard(func() error {
		return db.View(func(tx *bolt.Tx) error { n = tx.Size(); return nil })
	})
	if err != nil {
		return 0
	}
	return n
}

// cut truncates a closed segment's file to its used length and syncs it.
func (d *Disk) cut(path string, used int64) error {
	info, err := os.Stat(path)
	if err != nil || used <= 0 || used >= info.Size() {
		return err
	}
	if err := d.o.FS.Truncate(path, used); err != nil {
		return err
	}
	f, err := d.o.FS.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return d.o.FS.Sync(f)
}

// openSealer reads a segment's header.
func openSealer(tx *bolt.Tx, pages *boltPages, keys *crypto.StageKey, id uint64) (*crypto.Sealer, error) {
	meta, err := bucketIn(tx, pages, bucketMeta)
	if err != nil {
		return nil, err
	}
	if meta == nil {
		return nil, fmt.Errorf("no header: %w", ErrDamaged)
	}
	h, err := crypto.ParseSegmentHeader(meta.Get(keyHeader))
	if errors.Is(err, crypto.ErrFormatNewer) {
		return nil, fmt.Errorf("%w: %w", ErrFormatNewer, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if h.ID != id {
		return nil, fmt.Errorf("the file's name says segment %x, its header %x: %w", id, h.ID, ErrDamaged)
	}
	// The root key was judged at the stage-key file. A segment that does not open under it is damage.
	s, err := keys.OpenSegment(h)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return s, nil
}
