package engine

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"stagecache/internal/vfs"
)

// The rule of this file: a disk that stalls is waited for by the writer alone. Memory answers, puts return, the queue stays within its
// bound and what does not fit is dropped and counted; when the disk goes on, so does everything.

// stalls holds up a file system's operations until it is told to go on.
type stalls struct {
	mu     sync.Mutex
	ops    string        // guarded by mu: those that stall, between spaces
	gate   chan struct{} // guarded by mu: closed when they may go on
	struck chan string   // takes the first that stalls
}

func (f *stalls) stall(ops string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops, f.gate = " "+ops+" ", make(chan struct{})
}

func (f *stalls) goOn() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ops != "" {
		close(f.gate)
	}
	f.ops = ""
}

// hook is a vfs.Faulty's.
func (f *stalls) hook(_ int64, op, _ string) vfs.Verdict {
	f.mu.Lock()
	gate, mine := f.gate, strings.Contains(f.ops, " "+op+" ")
	f.mu.Unlock()
	if mine {
		select {
		case f.struck <- op:
		default:
		}
		<-gate
	}
	return vfs.Pass
}

func TestADiskThatStalls(t *testing.T) {
	body := string(noise(1, 200_000))
	value := func(i int) string { return fmt.Sprint(i, " ", body) }
	for _, c := range []struct {
		name, ops string
		begin     func(r *rig) // makes the writer come to what stalls
	}{
		{"a commit", "commit sync", func(*rig) {}},
		{"sealing", "truncate", func(r *rig) { r.clock.Advance(16 * time.Minute) }}, // a quarter of the class
		{"a new segment", "open syncdir", func(*rig) {}},
		{"unlinking", "remove", func(r *rig) { r.clock.Advance(61 * time.Minute) }}, // all is past its time
		{"everything", "commit sync truncate remove syncdir open rename", func(*rig) {}},
	} {
		t.Run(c.name, func(t *testing.T) {
			stall := &stalls{struck: make(chan string, 1)}
			r := newScratchRig(t, func(o *Options) { o.FS, o.Capacity = &vfs.Faulty{FS: vfs.OS, Hook: stall.hook}, 256<<20 })
			defer stall.goOn()
			for i := range 20 {
				r.put(fmt.Sprint("before", i), value(i), Meta{TTL: time.Hour})
			}
			r.sync()
			if c.name == "unlinking" {
				r.clock.Advance(16 * time.Minute)
				r.put("seals", value(0), Meta{TTL: time.Hour})
				r.sync()
			}
			if c.name == "a new segment" {
				r.reopen() // what was active is sealed
			}
			stall.stall(c.ops)
			c.begin(r)
			dropped := r.s.Stats().SpillDropped
			for i := 0; ; i++ {
				// A put that waits for the disk would wait for ever.
				r.put(fmt.Sprint("during", i), value(i), Meta{TTL: 3 * time.Hour})
				r.want(fmt.Sprint("during", i), value(i))
				if i == 0 {
					go func() { _ = r.s.Sync() }() // whoever asks for the disk has to wait for it
					<-stall.struck
				}
				if drops := r.s.Stats().SpillDropped - dropped; drops >= 5 {
					break // the queue is full
				}
				if i > 1000 {
					t.Fatalf("%d MB were put and nothing was dropped: the queue has no bound", i*len(body)/1e6)
				}
			}
			if bound, got := r.o.Memory, r.s.Stats().MemoryBytes; got > bound {
				t.Errorf("%d bytes of memory, %d are configured", got, bound)
			}
			// The store closes as soon as the disk goes on, with all that was queued, and is as it was.
			closed := make(chan error)
			go func() { closed <- r.s.Close() }()
			select {
			case err := <-closed:
				t.Errorf("closed before what was queued is on the disk: %v", err)
			default:
			}
			stall.goOn()
			if err := <-closed; err != nil {
				t.Fatal(err)
			}
			r.open()
			r.want("during0", value(0))
			r.put("after", "v", Meta{TTL: time.Hour})
			r.sync()
			r.reopen()
			r.want("after", "v")
			if st := r.s.Stats(); st.Quarantined != 0 {
				t.Errorf("%+v", st)
			}
		})
	}
}
