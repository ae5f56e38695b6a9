package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"

	"stagecache/crypto"
	"stagecache/internal/vfs"
	"stagecache/tier"
)

// purgeList keeps purges on disk: a small bbolt file of a generation, one sealed record per purge under its number. A purge
// is a commit, fsync included, before anybody is told that it is done. The numbers have no gaps above the floor, so a record
// that is missing or does not open shows; then the list cannot be trusted and neither can the entries (errPurgeList).
type purgeList struct {
	purges
	fs   vfs.FS
	path string

	keys *crypto.StageKey

	mu     sync.Mutex // serialises purges
	db     *bolt.DB
	sealer *crypto.Sealer // guarded by mu
	onDisk uint64         // guarded by mu: the floor as it stands in the file
	keyAt  uint64         // guarded by mu: the newest purge when sealer's key was taken into use
}

func newPurgeList(dir string, keys *crypto.StageKey, fsys vfs.FS) *purgeList {
	return &purgeList{purges: purges{maxPurges: maxPurges, maxPatterns: maxPatterns}, fs: fsys, path: filepath.Join(dir, purgeFile), keys: keys}
}

const purgeFile = "purges.db"

// purgeSegment is the segment number under which the list's key is derived; tier counts segments from 1.
const purgeSegment = 0

var (
	errPurgeList = errors.New("purge list is damaged")
	bucketHead   = []byte("head")
	bucketPurges = []byte("purges")
	keyHeader    = []byte("header")
	keyFloor     = []byte("floor")
)

// openPurgeList makes the list of a fresh generation, or opens the one of a generation that has one: there, a list that is
// missing or empty is damaged.
func openPurgeList(dir string, keys *crypto.StageKey, fsys vfs.FS, fresh bool) (*purgeList, error) {
	l := newPurgeList(dir, keys, fsys)
	err := guard(func() error { return l.open(dir, fresh) })
	if err == nil {
		return l, nil
	}
	if l.db != nil {
		_ = guard(l.db.Close) // the error that matters is err
	}
	return nil, err
}

// guard turns a panic or a fault on the memory map into an error: bbolt checks its meta pages only, and a damaged file makes
// it panic or read beyond the map.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: its pages do not make sense (%v)", errPurgeList, r)
		}
	}()
	return fn()
}

func (l *purgeList) open(dir string, fresh bool) (err error) {
	if info, err := os.Stat(l.path); !fresh && (err != nil || info.Size() == 0) {
		return fmt.Errorf("%w: %s is missing or empty", errPurgeList, purgeFile)
	}
	if !fresh {
		if err := tier.CheckPages(l.fs, l.path); errors.Is(err, tier.ErrDamaged) {
			return fmt.Errorf("%w: %w", errPurgeList, err)
		} else if err != nil {
			return fmt.Errorf("open purge list: %w", err) // not for what is in it: another start may do better
		}
	}
	l.db, err = bolt.Open(l.path, 0o600, &bolt.Options{PageSize: 4096, Timeout: time.Second, OpenFile: l.fs.OpenFile, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return fmt.Errorf("open purge list: %w", err)
	}
	if fresh {
		if err := l.create(dir); err != nil {
			return fmt.Errorf("create purge list: %w", err)
		}
		return nil
	}
	if err := l.load(); err != nil {
		return fmt.Errorf("%w: %w", errPurgeList, err)
	}
	return nil
}

// verifyPurges authenticates the list in dir and changes nothing.
func verifyPurges(dir string, keys *crypto.StageKey) error {
	l := newPurgeList(dir, keys, vfs.OS)
	if info, err := os.Stat(l.path); err != nil || info.Size() == 0 {
		return fmt.Errorf("%w: it is missing or empty", errPurgeList)
	}
	return guard(func() (err error) {
		if err := tier.CheckPages(l.fs, l.path); err != nil {
			return err
		}
		if l.db, err = bolt.Open(l.path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second}); err != nil {
			return err
		}
		defer l.db.Close()
		return l.load()
	})
}

func (l *purgeList) create(dir string) error {
	header, sealer, err := l.keys.NewSegment(purgeSegment)
	if err != nil {
		return err
	}
	l.sealer = sealer
	err = l.commit(func(tx *bolt.Tx) error {
		head, err := tx.CreateBucket(bucketHead)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucket(bucketPurges); err != nil {
			return err
		}
		return errors.Join(head.Put(keyHeader, header.Append(nil)), l.putFloor(tx, sealer, 0, 0))
	})
	if err != nil {
		return err
	}
	return l.fs.SyncDir(dir)
}

func (l *purgeList) commit(fn func(*bolt.Tx) error) error {
	return guard(func() error {
		return l.fs.Commit(l.path, func() error { return l.db.Update(fn) })
	})
}

func (l *purgeList) load() error {
	return l.db.View(func(tx *bolt.Tx) error {
		head, list := tx.Bucket(bucketHead), tx.Bucket(bucketPurges)
		if head == nil || list == nil {
			return errors.New("buckets are missing")
		}
		var err error
		if l.sealer, err = l.openSealer(head); err != nil {
			return err
		}
		if l.onDisk, l.keyAt, err = l.getFloor(head, l.sealer); err != nil {
			return err
		}
		l.floor = l.onDisk
		l.newest.Store(l.onDisk)
		next := l.onDisk + 1
		err = list.ForEach(func(k, v []byte) error {
			if len(k) != 8 || binary.BigEndian.Uint64(k) != next {
				return fmt.Errorf("purge %d is missing", next)
			}
			b, err := l.sealer.Open(nil, v, l.aad(next))
			if err != nil {
				return fmt.Errorf("purge %d: %w", next, err)
			}
			t, mode, err := parsePurge(b)
			if err != nil {
				return fmt.Errorf("purge %d: %w", next, err)
			}
			l.add(next, t, mode)
			next++
			return nil
		})
		// Since the key was taken into use, a purge took a seal for itself and at most one for a floor; before that, all that
		// was remembered was sealed once under the new key.
		l.sealer.Resume(2*(next-min(next, l.keyAt)) + uint64(l.maxPurges))
		return err
	})
}

func (l *purgeList) openSealer(head *bolt.Bucket) (*crypto.Sealer, error) {
	header, err := crypto.ParseSegmentHeader(head.Get(keyHeader))
	if err != nil {
		return nil, err
	}
	return l.keys.OpenSegment(header)
}

// reseal puts what is remembered under a new key, for the old one has sealed as much as it may.
func (l *purgeList) reseal(tx *bolt.Tx, old, sealer *crypto.Sealer, header crypto.SegmentHeader) error {
	list := tx.Bucket(bucketPurges)
	first, _ := list.Cursor().First()
	if first != nil {
		for number := binary.BigEndian.Uint64(first); ; number++ {
			k := binary.BigEndian.AppendUint64(nil, number)
			v := list.Get(k)
			if v == nil {
				break // there are no gaps
			}
			b, err := old.Open(nil, v, l.aad(number))
			if err != nil {
				return fmt.Errorf("purge %d: %w", number, err)
			}
			// A new key, with random nonces of its own; the number keeps the records apart as before.
			sealed, err := sealer.Seal(nil, b, l.aad(number))
			if err != nil {
				return err
			}
			if err := list.Put(k, sealed); err != nil {
				return err
			}
		}
	}
	return tx.Bucket(bucketHead).Put(keyHeader, header.Append(nil))
}

// aad binds a record to its number; 0 is the floor's, for purges count from 1.
func (l *purgeList) aad(number uint64) []byte {
	ctx := l.sealer.Context()
	return binary.BigEndian.AppendUint64(append([]byte("purge"), ctx[:]...), number)
}

func appendPurge(dst []byte, t Target, mode PurgeMode) []byte {
	return append(append(dst, byte(t.kind), byte(mode)), t.text...)
}

func parsePurge(b []byte) (Target, PurgeMode, error) {
	if len(b) < 3 || b[0] < byte(kindKey) || b[0] > byte(kindPattern) || b[1] > byte(Soft) {
		return Target{}, 0, errPurgeList
	}
	return Target{targetKind(b[0]), string(b[2:])}, PurgeMode(b[1]), nil
}

// getFloor reads what putFloor wrote.
func (l *purgeList) getFloor(head *bolt.Bucket, sealer *crypto.Sealer) (floor, keyAt uint64, err error) {
	b, err := sealer.Open(nil, head.Get(keyFloor), l.aad(0))
	if err != nil || len(b) != 16 {
		return 0, 0, fmt.Errorf("floor: %w", errors.Join(err, errPurgeList))
	}
	return binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), nil
}

// putFloor writes the floor, and when the key was taken into use.
func (l *purgeList) putFloor(tx *bolt.Tx, sealer *crypto.Sealer, floor, keyAt uint64) error {
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, floor), keyAt)
	// Sealed like a purge, under the list's key with a random nonce of its own; number 0 keeps it apart.
	sealed, err := sealer.Seal(nil, b, l.aad(0))
	if err != nil {
		return err
	}
	return tx.Bucket(bucketHead).Put(keyFloor, sealed)
}

// purge makes a purge durable, then visible. keepFrom is the lowest stamp that anything on disk may have.
func (l *purgeList) purge(t Target, mode PurgeMode, keepFrom uint64) (uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db == nil {
		return 0, ErrClosed
	}
	at := l.newest.Load() + 1
	floor := l.onDisk
	// Forgetting costs a pass over the list, so it waits until there is something to gain.
	if l.n > 1024 && keepFrom > floor+uint64(l.n)/2 {
		floor = min(keepFrom, at-1)
	}
	if l.n >= l.maxPurges {
		floor = max(floor, at-1-uint64(l.maxPurges/2))
	}
	sealer, keyAt := l.sealer, l.keyAt
	var header crypto.SegmentHeader
	renew := sealer.Seals()+2 > crypto.MaxSeals // one for the purge, one for the floor
	if renew {
		var err error
		if header, sealer, err = l.keys.NewSegment(purgeSegment); err != nil {
			return 0, err
		}
		keyAt = at
	}
	sealed, err := sealer.Seal(nil, appendPurge(nil, t, mode), l.aad(at))
	if err != nil {
		return 0, err
	}
	err = l.commit(func(tx *bolt.Tx) error {
		head, list := tx.Bucket(bucketHead), tx.Bucket(bucketPurges)
		list.FillPercent = 0.9 // numbers only grow
		if renew || floor > l.onDisk {
			// Key and floor as the file has them: a commit that failed may have taken effect.
			old, err := l.openSealer(head)
			if err != nil {
				return err
			}
			before, _, err := l.getFloor(head, old)
			if err != nil {
				return err
			}
			floor = max(floor, before)
			c := list.Cursor()
			for k, _ := c.First(); k != nil && binary.BigEndian.Uint64(k) <= floor; k, _ = c.First() {
				if err := c.Delete(); err != nil {
					return err
				}
			}
			if renew {
				if err := l.reseal(tx, old, sealer, header); err != nil {
					return err
				}
			}
			if err := l.putFloor(tx, sealer, floor, keyAt); err != nil {
				return err
			}
		}
		return list.Put(binary.BigEndian.AppendUint64(nil, at), sealed)
	})
	if err != nil {
		return 0, fmt.Errorf("the purge could not be made durable: %w", err)
	}
	l.sealer, l.keyAt = sealer, keyAt
	l.add(at, t, mode)
	if floor > l.onDisk {
		l.raiseFloor(floor)
		l.purges.mu.Lock()
		l.n = int(at - floor)
		l.purges.mu.Unlock()
		l.onDisk = floor
	}
	return at, nil
}

func (l *purgeList) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.db == nil {
		return nil
	}
	err := l.db.Close()
	l.db = nil
	return err
}
