package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"stagecache/crypto"
	"stagecache/internal/vfs"
)

func (r *rig) purge(t Target, mode PurgeMode) {
	r.t.Helper()
	if _, err := r.s.Purge(context.Background(), t, mode); err != nil {
		r.t.Fatalf("purge: %v", err)
	}
}

func (r *rig) list() *purgeList { return r.s.gen.Load().purges }

// listed counts the purges in the file.
func (r *rig) listed() (n int) {
	r.t.Helper()
	err := r.list().db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketPurges).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

func (r *rig) listFile() string {
	r.t.Helper()
	files := glob(r.t, r.dir, genPrefix+"*/"+purgeFile)
	if len(files) != 1 {
		r.t.Fatalf("purge lists: %v", files)
	}
	return files[0]
}

// Past the limit, the oldest half becomes one floor: everything older is a miss, what is newer is judged as before, and the
// list stays short.
func TestFloor(t *testing.T) {
	for _, memory := range []int64{0, MinMemory} {
		r := newScratchRig(t, func(o *Options) { o.Memory = memory })
		r.list().maxPurges = 20
		r.put("old", "v", Meta{TTL: time.Hour, Path: "/old"})
		r.put("old and purged", "v", Meta{TTL: time.Hour, Path: "/p0"})
		for i := range 19 {
			r.purge(Path(fmt.Sprint("/p", i)), Hard)
		}
		r.put("new", "v", Meta{TTL: time.Hour, Path: "/new"})
		r.put("new and purged", "v", Meta{TTL: time.Hour, Path: "/q3"})
		r.want("old", "v") // no more than 19 yet
		r.want("old and purged", "")
		for i := range 5 {
			r.purge(Path(fmt.Sprint("/q", i)), []PurgeMode{Hard, Soft}[i%2])
		}
		check := func(when string) {
			t.Helper()
			r.want("old", "")
			r.want("old and purged", "")
			if r.want("new", "v").Stale || !r.want("new and purged", "v").Stale {
				t.Errorf("%s: the newer ones are not judged as before", when)
			}
			if n, m := r.listed(), r.list().n; n > 20 || n != m {
				t.Errorf("%s: %d purges in the file, %d in memory", when, n, m)
			}
		}
		check("at once")
		r.reopen()
		check("after a restart")
		r.list().maxPurges = 20
		for i := range 100 {
			r.purge(Tag(fmt.Sprint("t", i)), Hard)
			if n := r.listed(); n > 21 {
				t.Fatalf("%d purges are kept", n)
			}
		}
		r.reopen()
		if got := r.list().newest.Load(); got != 124 {
			t.Errorf("the clock stands at %d", got)
		}
	}
}

// The default limit, with purges that are in memory alone: 100,000 and one.
func TestFloorAtItsDefault(t *testing.T) {
	if n := newPurgeList("", nil, vfs.OS); n.maxPurges != 100_000 || n.maxPatterns != 1000 {
		t.Fatalf("the limits are %d and %d", n.maxPurges, n.maxPatterns)
	}
	var p purges
	for i := range uint64(100_001) {
		p.add(i+1, Path(fmt.Sprint("/", i)), Hard)
	}
	p.raiseFloor(50_000)
	if n := len(p.byKind[kindPath-1]); n != 50_001 {
		t.Fatalf("%d targets are kept", n)
	}
	for _, c := range []struct {
		stamp uint64
		path  string
		gone  bool
	}{{49_999, "/other", true}, {50_000, "/other", false}, {50_000, "/99999", true}, {100_000, "/99999", false}, {50_000, "/3", false}, {99_999, "/99999", true}} {
		if v := p.judge(c.stamp, nil, []byte(c.path), nil); v.hard != c.gone {
			t.Errorf("stamp %d of %s: %+v", c.stamp, c.path, v)
		}
	}
}

// A purge is forgotten once nothing on the disk or on its way there is older, and not before.
func TestPurgesAreForgotten(t *testing.T) {
	r := newScratchRig(t, func(o *Options) { o.Memory = 0 })
	r.put("first", "v", Meta{TTL: time.Minute, Path: "/first"})
	r.sync()
	for i := range 1100 {
		r.purge(Path(fmt.Sprint("/p", i)), Hard)
	}
	r.want("first", "v")
	if n := r.listed(); n != 1100 {
		t.Fatalf("%d purges are kept while an entry is older than all of them", n)
	}
	r.clock.Advance(2 * time.Minute) // the entry's segment expires
	r.put("second", "v", Meta{TTL: time.Hour, Path: "/second"})
	r.sync()
	r.reopen() // a start drops what has expired before long; a compaction does so now
	if _, err := r.s.Compact(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	r.purge(Path("/last"), Hard)
	if n := r.listed(); n > 10 {
		t.Fatalf("%d purges are kept", n)
	}
	r.want("second", "v")
	r.reopen()
	r.want("second", "v")
	r.purge(Path("/second"), Hard)
	r.want("second", "")
}

// A list that was put back from a copy does not know of purges that entries know of: a new generation begins.
func TestListRolledBack(t *testing.T) {
	r := newScratchRig(t, nil)
	r.put("a", "v", minute("/a"))
	r.purge(Path("/x"), Hard)
	r.close()
	old, err := os.ReadFile(r.listFile())
	if err != nil {
		t.Fatal(err)
	}
	r.open()
	r.purge(Path("/a"), Hard)
	r.put("b", "v", minute("/b")) // its stamp is later than the copy's end
	r.close()
	if err := os.WriteFile(r.listFile(), old, 0o600); err != nil {
		t.Fatal(err)
	}
	r.open()
	r.want("a", "")
	r.want("b", "")
	if q := r.s.Stats().Quarantined; q != 1 {
		t.Errorf("quarantined: %d", q)
	}
	r.put("b", "new", minute("/b"))
	r.reopen()
	r.want("b", "new")
}

// Past the limit of patterns, the older half is kept as literal prefixes: that purges more, never less.
func TestPatternsCollapse(t *testing.T) {
	r := newScratchRig(t, nil)
	r.list().maxPatterns = 10
	for i := range 12 {
		r.put(fmt.Sprint("hit", i), "v", minute(fmt.Sprintf("/p%d/x/y", i)))
		r.put(fmt.Sprint("beside", i), "v", minute(fmt.Sprintf("/p%d/other", i)))
	}
	r.put("elsewhere", "v", minute("/q/x/y"))
	for i := range 12 {
		r.purge(Pattern(fmt.Sprintf("/p%d/*/y", i)), []PurgeMode{Hard, Soft}[i%2])
	}
	if n := len(r.list().patterns); n > 10 {
		t.Errorf("%d patterns are kept", n)
	}
	check := func(when string, collapsed, wasCollapsed int) {
		t.Helper()
		for i := range 12 {
			soft := i%2 == 1
			e, err := r.s.Get(nil, []byte(fmt.Sprint("hit", i)))
			if soft && (err != nil || !e.Stale) || !soft && !errors.Is(err, ErrMiss) {
				t.Errorf("%s: hit%d: stale %v, %v", when, i, e.Stale, err)
			}
			e, err = r.s.Get(nil, []byte(fmt.Sprint("beside", i)))
			if hit := err != nil || e.Stale; hit != (i < collapsed) && !(i < wasCollapsed && errors.Is(err, ErrMiss)) {
				t.Errorf("%s: beside%d: stale %v, %v", when, i, e.Stale, err)
			}
		}
		r.want("elsewhere", "v")
	}
	check("at once", 5, 0)
	r.reopen()
	check("after a restart, with the usual limit", 0, 5) // what was dropped as purged stays so
}

// Whatever is changed in the list is seen: a record that is missing, two in each other's place, one from another list.
func TestListThatWasChanged(t *testing.T) {
	other := newScratchRig(t, nil)
	for range 10 {
		other.purge(Path("/other"), Hard)
	}
	foreign := make(map[uint64][]byte)
	err := other.list().db.View(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketPurges).ForEach(func(k, v []byte) error {
			foreign[binary.BigEndian.Uint64(k)] = bytes.Clone(v)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	number := func(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
	for name, change := range map[string]func(tx *bolt.Tx) error{
		"first is missing": func(tx *bolt.Tx) error { return tx.Bucket(bucketPurges).Delete(number(1)) },
		"one is missing":   func(tx *bolt.Tx) error { return tx.Bucket(bucketPurges).Delete(number(5)) },
		"all are missing":  func(tx *bolt.Tx) error { return errors.Join(tx.DeleteBucket(bucketPurges), again(tx, bucketPurges)) },
		"last is missing":  func(tx *bolt.Tx) error { return tx.Bucket(bucketPurges).Delete(number(10)) },
		"no buckets": func(tx *bolt.Tx) error {
			return errors.Join(tx.DeleteBucket(bucketPurges), tx.DeleteBucket(bucketHead))
		},
		"header is missing": func(tx *bolt.Tx) error { return tx.Bucket(bucketHead).Delete(keyHeader) },
		"floor is missing":  func(tx *bolt.Tx) error { return tx.Bucket(bucketHead).Delete(keyFloor) },
		"floor is a purge": func(tx *bolt.Tx) error {
			return tx.Bucket(bucketHead).Put(keyFloor, tx.Bucket(bucketPurges).Get(number(3)))
		},
		"two swapped": func(tx *bolt.Tx) error {
			b := tx.Bucket(bucketPurges)
			v, w := bytes.Clone(b.Get(number(3))), bytes.Clone(b.Get(number(4)))
			return errors.Join(b.Put(number(3), w), b.Put(number(4), v))
		},
		"another list's": func(tx *bolt.Tx) error { return tx.Bucket(bucketPurges).Put(number(3), foreign[3]) },
		"one too many":   func(tx *bolt.Tx) error { return tx.Bucket(bucketPurges).Put(number(12), foreign[3]) },
		"odd key":        func(tx *bolt.Tx) error { return tx.Bucket(bucketPurges).Put([]byte("x"), foreign[3]) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newScratchRig(t, nil)
			for i := range 10 {
				r.purge(Path(fmt.Sprint("/p", i)), Hard)
			}
			r.put("a", "v", minute("/a")) // with the stamp of the tenth
			r.close()
			db, err := bolt.Open(r.listFile(), 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(db.Update(change), db.Close()); err != nil {
				t.Fatal(err)
			}
			if rep, err := Verify(r.dir, VerifyOptions{Key: r.o.Key}); err != nil || len(rep.Damaged) != 1 && name != "last is missing" && name != "all are missing" {
				t.Errorf("verify: %+v, %v", rep.Damaged, err)
			}
			r.open()
			r.want("a", "")
			if q := r.s.Stats().Quarantined; q != 1 {
				t.Errorf("quarantined: %d", q)
			}
		})
	}
}

func again(tx *bolt.Tx, bucket []byte) error {
	_, err := tx.CreateBucket(bucket)
	return err
}

// Every bit of a purge list is worth a miss at most: a start gets through, and nothing that was purged comes back.
func TestFlippedBitsInTheList(t *testing.T) {
	r := newScratchRig(t, func(o *Options) { o.Memory = 0 })
	for i := range 20 {
		r.purge(Path(fmt.Sprint("/p", i)), Hard)
	}
	r.put("a", "v", minute("/a"))
	r.put("b", "v", minute("/b"))
	r.sync()
	r.purge(Path("/a"), Hard)
	r.put("c", "v", minute("/c")) // knows of that purge
	r.close()
	whole, err := os.ReadFile(r.listFile())
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(whole, "\x00"))
	kept := filepath.Join(scratch(t), "kept")
	if err := os.CopyFS(kept, os.DirFS(r.dir)); err != nil {
		t.Fatal(err)
	}
	began, flips := 0, 0
	rnd := rand.New(rand.NewPCG(1, 1))
	for at := 0; at < used; at += 1 + rnd.IntN(rounds(60, 15, 2)) {
		if whole[at] == 0 && at%4096 > 80 && rnd.IntN(20) > 0 {
			continue
		}
		if err := errors.Join(os.RemoveAll(r.dir), os.CopyFS(r.dir, os.DirFS(kept))); err != nil {
			t.Fatal(err)
		}
		b := bytes.Clone(whole)
		b[at] ^= 1 << rnd.IntN(8)
		if err := os.WriteFile(r.listFile(), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(r.dir, VerifyOptions{Key: r.o.Key}); err != nil {
			t.Fatalf("byte %d: verify: %v", at, err)
		}
		s, err := Open(r.dir, r.o)
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		<-s.Ready()
		flips++
		began += int(s.Stats().Quarantined)
		if e, err := s.Get(nil, []byte("a")); err == nil {
			t.Errorf("byte %d: what was purged is back: %q", at, e.Value)
		}
		if _, err := s.Purge(context.Background(), Path("/b"), Hard); err != nil {
			t.Errorf("byte %d: purge: %v", at, err)
		}
		if _, err := s.Get(nil, []byte("b")); !errors.Is(err, ErrMiss) {
			t.Errorf("byte %d: purged and there: %v", at, err)
		}
		if err := s.Close(); err != nil {
			t.Errorf("byte %d: close: %v", at, err)
		}
	}
	t.Logf("%d bits flipped, %d times a new generation began", flips, began)
	if began < flips/10 {
		t.Error("next to nothing was noticed")
	}
	r.open()
}

// The list goes on when its key has sealed as much as a key may: it takes a new one, and all it knows with it.
func TestListOutlivesItsKey(t *testing.T) {
	r := newScratchRig(t, nil)
	r.put("a", "v", minute("/a"))
	r.put("b", "v", minute("/b"))
	r.purge(Path("/a"), Hard)
	before := r.list().sealer
	before.Resume(crypto.MaxSeals)
	for i := range 30 {
		r.purge(Path(fmt.Sprint("/p", i)), Hard)
		if i%10 == 5 {
			r.list().sealer.Resume(crypto.MaxSeals - 5)
		}
	}
	if r.list().sealer == before {
		t.Fatal("the key is the same")
	}
	r.want("a", "")
	r.want("b", "v")
	r.reopen()
	r.want("a", "")
	r.want("b", "v")
	if used := r.list().sealer.Seals(); used >= crypto.MaxSeals/2 {
		t.Errorf("after a restart the new key counts as used %d times", used)
	}
	r.purge(Path("/b"), Hard)
	r.want("b", "")
	r.reopen()
	r.want("b", "")
	if rep, err := verifyClosed(r); err != nil || len(rep.Damaged) > 0 {
		t.Errorf("%+v, %v", rep, err)
	}
}

// A change of key, or of the floor, that failed may have taken effect: the list works on either way.
func TestListAfterAFailedCommit(t *testing.T) {
	for _, what := range []string{"key", "floor", "key and floor"} {
		for _, verdict := range []vfs.Verdict{vfs.Fail, vfs.FailAfter} {
			t.Run(fmt.Sprint(what, " ", verdict), func(t *testing.T) {
				var broken bool
				fs := &vfs.Faulty{FS: vfs.OS, Hook: func(_ int64, op, name string) vfs.Verdict {
					if broken && op == "commit" && filepath.Base(name) == purgeFile {
						return verdict
					}
					return vfs.Pass
				}}
				r := newScratchRig(t, func(o *Options) { o.FS = fs })
				for i := range 30 {
					r.purge(Path(fmt.Sprint("/p", i)), Hard)
				}
				r.put("a", "v", minute("/a"))
				r.put("b", "v", minute("/b"))
				if what != "floor" {
					r.list().sealer.Resume(crypto.MaxSeals)
				}
				if what != "key" {
					r.list().maxPurges = 20
				}
				broken = true
				for range 3 {
					if _, err := r.s.Purge(context.Background(), Path("/b"), Hard); err == nil {
						t.Fatal("acknowledged")
					}
				}
				broken = false
				// The next one's floor is lower than the one that failed.
				r.list().maxPurges = 28
				r.purge(Path("/a"), Hard)
				r.want("a", "")
				for i := range 5 {
					r.purge(Path(fmt.Sprint("/q", i)), Hard)
				}
				r.reopen()
				if q := r.s.Stats().Quarantined; q != 0 {
					t.Fatalf("the list is said to be damaged: %d", q)
				}
				r.want("a", "")
				r.purge(Path("/x"), Hard)
				r.put("c", "v", minute("/c"))
				r.reopen()
				r.want("c", "v")
			})
		}
	}
}
