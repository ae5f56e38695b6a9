package engine

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"time"
)

// leaseStripes divides the keys: Put, promotion and leases of a key hold its stripe's lock.
const leaseStripes = 256

type stripe struct {
	mu      sync.Mutex
	flights map[string]*flight // guarded by mu: leases that are held
	timer   *time.Timer        // guarded by mu: calls expire; nil until there is a lease
	due     time.Time          // guarded by mu: when it does; zero: it is not set
}

var stripeSeed = maphash.MakeSeed()

func (s *Store) stripe(key []byte) *stripe {
	return &s.leases[maphash.Bytes(stripeSeed, key)%leaseStripes]
}

// flight is one fill: a lease seen from all who share it.
type flight struct {
	s        *Store
	st       *stripe // the key's
	key      []byte
	about    []byte // LeaseOptions.About; nil: the key says it
	gen      *generation
	stamp    uint64 // read when the lease was taken
	data     any
	deadline time.Time
	held     Lease         // its holder's
	done     chan struct{} // guarded by st.mu: closed when it has ended; nil while nobody waits
	entry    Entry         // set before done is closed
	err      error         // likewise
	ended    bool          // guarded by st.mu
}

// LeaseOptions widen what a lease asks for.
type LeaseOptions struct {
	Path string // as in Meta.Path: shows that a purge has made a running fill too old to wait for
	// About is the key of the entry that is filled, where the lease's own is only a name for those who wait together: a purge of
	// it counts like one of the lease's key.
	About   []byte
	Timeout time.Duration // the lease ends by itself after this; 0: Options.LeaseTimeout
	Refresh bool          // a fill is wanted even where a fresh entry exists
	// Data is called when a new lease is held; what it returns is given to the holder and to every waiter.
	Data func() any
}

// Lease is the right to fill a key (Held), a place among those who wait for whoever has it, or what made both needless (Found).
type Lease struct {
	Found *Entry // a fresh entry came in the meantime
	Held  bool   // this caller fills; it ends with Put or Abandon

	f *flight
}

// Lease looks again, under the key's lock: it returns an entry, the right to fill, or a place to wait. It does not block;
// waiting is Wait.
func (s *Store) Lease(ctx context.Context, key []byte, o LeaseOptions) (*Lease, error) {
	if len(key) == 0 || len(key) > MaxKey {
		return nil, ErrBadKey
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st := s.stripe(key)
	if !o.Refresh {
		// A disk read promotes under this same lock, so the look comes before it. Whoever stores between the look and the
		// lock has a flight here no more; the second look, below, finds that in memory or in the queue.
		if e, _, err := s.get(nil, key); err == nil && !e.Stale {
			return &Lease{Found: &e}, nil
		}
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	g := s.gen.Load()
	f := st.flights[string(key)]
	if f != nil && f.gen == g && !g.purges.mayTouch(f.stamp, key, []byte(o.Path)) && !f.purged() {
		return &Lease{f: f}, nil
	}
	if !o.Refresh {
		if e, ok := s.peek(g, key); ok {
			return &Lease{Found: &e}, nil
		}
	}
	if f != nil {
		// It began before a purge or flush that this caller must not be answered from before. Its holder goes on for those
		// who asked earlier; its Put is refused.
		f.end(Entry{}, ErrPurged)
	}
	f = &flight{s: s, st: st, key: bytes.Clone(key), about: bytes.Clone(o.About), gen: g, stamp: g.purges.newest.Load()}
	f.held = Lease{Held: true, f: f}
	if o.Data != nil {
		f.data = o.Data()
	}
	timeout := o.Timeout
	if timeout == 0 {
		timeout = s.o.LeaseTimeout
	}
	f.deadline = time.Now().Add(timeout)
	st.flights[string(f.key)] = f
	st.watch(f.deadline)
	return &f.held, nil
}

// watch sees to it that expire is called at a deadline, if not before. Most leases end long before theirs: a timer for each
// would be set and stopped in vain, one for a stripe fires once in a while. The caller holds st.mu.
func (st *stripe) watch(deadline time.Time) {
	if !st.due.IsZero() && !deadline.Before(st.due) {
		return
	}
	st.due = deadline
	if st.timer == nil {
		st.timer = time.AfterFunc(time.Until(deadline), st.expire)
	} else {
		st.timer.Reset(time.Until(deadline))
	}
}

// expire ends the leases that are past their deadline, and sets the timer for the next one.
func (st *stripe) expire() {
	st.mu.Lock()
	defer st.mu.Unlock()
	now := time.Now()
	st.due = time.Time{}
	var next time.Time
	for _, f := range st.flights {
		switch {
		case !f.deadline.After(now):
			f.end(Entry{}, ErrLeaseLost)
		case next.IsZero() || f.deadline.Before(next):
			next = f.deadline
		}
	}
	if !next.IsZero() {
		st.watch(next)
	}
}

// peek looks for a fresh entry without promoting. The caller holds the key's stripe.
func (s *Store) peek(g *generation, key []byte) (Entry, bool) {
	now := s.time.now()
	if m := s.memory.Load(); m != nil {
		if out, f, err := m.Get(nil, g.memoryHash(key)); err == nil {
			if e, ok := s.admit(g, key, out, f, now); ok && !e.Stale {
				e.Tier = Memory
				return e, true
			}
			return Entry{}, false
		}
	}
	out, f, err := g.disk.Get(nil, g.hasher.Sum(key))
	if err != nil {
		return Entry{}, false
	}
	e, ok := s.admit(g, key, out, f, now)
	e.Tier = Disk
	return e, ok && !e.Stale
}

// purged reports whether the key of the lease, or of what it is about, was purged since the fill began.
func (f *flight) purged() bool {
	own := f.gen.purges.judge(f.stamp, f.key, nil, nil)
	about := f.gen.purges.judge(f.stamp, f.about, nil, nil)
	return own.hard || own.soft || about.hard || about.soft
}

// end closes the flight, and frees its key for the next lease. The caller holds its stripe.
func (f *flight) end(e Entry, err error) {
	if f.ended {
		return
	}
	f.ended = true
	f.entry, f.err = e, err
	if f.st.flights[string(f.key)] == f {
		delete(f.st.flights, string(f.key))
	}
	if f.done != nil {
		close(f.done)
	}
}

func (f *flight) finish(e Entry, err error) {
	f.st.mu.Lock()
	defer f.st.mu.Unlock()
	f.end(e, err)
}

// ending is closed once the flight has ended.
func (f *flight) ending() <-chan struct{} {
	f.st.mu.Lock()
	defer f.st.mu.Unlock()
	if f.done == nil {
		f.done = make(chan struct{})
		if f.ended {
			close(f.done)
		}
	}
	return f.done
}

func (s *Store) endLeases() {
	for i := range s.leases {
		st := &s.leases[i]
		st.mu.Lock()
		for _, f := range st.flights {
			f.end(Entry{}, ErrClosed)
		}
		if st.timer != nil {
			st.timer.Stop()
		}
		st.mu.Unlock()
	}
}

// Data is what LeaseOptions.Data returned for the holder.
func (l *Lease) Data() any { return l.f.data }

// Put stores the value, wakes the waiters with it and ends the lease. An error says why it was not stored; the lease has
// ended all the same, and waiters get that error.
func (l *Lease) Put(value []byte, m Meta) error {
	f := l.f
	if err := l.check(len(value), &m); err != nil {
		l.Abandon(err)
		return err
	}
	f.st.mu.Lock()
	defer f.st.mu.Unlock()
	e, err := l.putLocked(f.key, value, &m)
	f.end(e, err)
	return err
}

// PutKey stores the value under another key, a variant of the leased one, under the same conditions. The lease goes on.
func (l *Lease) PutKey(key, value []byte, m Meta) error {
	f := l.f
	if len(key) == 0 || len(key) > MaxKey {
		return ErrBadKey
	}
	if err := l.check(len(value), &m); err != nil {
		return err
	}
	f.st.mu.Lock()
	ended := f.ended
	f.st.mu.Unlock()
	if ended {
		return cmp.Or(f.err, ErrLeaseLost)
	}
	st := f.s.stripe(key)
	st.mu.Lock()
	defer st.mu.Unlock()
	_, err := l.storeLocked(key, value, &m)
	return err
}

func (l *Lease) check(size int, m *Meta) error {
	if !l.Held {
		return errors.New("only the holder of a lease may put")
	}
	if size > l.f.s.o.MaxObject {
		return ErrTooLarge
	}
	return m.check()
}

// putLocked stores unless the lease has ended.
func (l *Lease) putLocked(key, value []byte, m *Meta) (Entry, error) {
	if l.f.ended {
		return Entry{}, cmp.Or(l.f.err, ErrLeaseLost)
	}
	return l.storeLocked(key, value, m)
}

// storeLocked stores unless what the fill depends on was purged or flushed since. The caller holds key's stripe. A purge that
// comes after this look finds the entry with its older stamp, so it is a miss even then.
func (l *Lease) storeLocked(key, value []byte, m *Meta) (Entry, error) {
	s, g := l.f.s, l.f.gen
	if s.closed.Load() {
		return Entry{}, ErrClosed
	}
	if s.gen.Load() != g {
		return Entry{}, ErrPurged
	}
	tags := func(fn func([]byte) bool) {
		for _, t := range m.Tags {
			if !fn([]byte(t)) {
				return
			}
		}
	}
	v := g.purges.judge(l.f.stamp, key, []byte(m.Path), tags)
	if v.hard || v.soft || l.f.purged() {
		return Entry{}, ErrPurged
	}
	return s.store(g, key, value, m, l.f.stamp)
}

// Forget removes what is stored under the leased key: its source has an answer that may not be stored in its place.
func (l *Lease) Forget() {
	f := l.f
	s := f.s
	f.st.mu.Lock()
	defer f.st.mu.Unlock()
	g := s.gen.Load()
	if s.closed.Load() || f.ended || g != f.gen {
		return
	}
	if m := s.memory.Load(); m != nil {
		m.Drop(g.memoryHash(f.key), noFound)
	}
	g.disk.Supersede(g.hasher.Sum(f.key), s.seq.Add(1))
}

// Abandon ends the lease without storing; waiters get err. It may be called more than once and after Put.
func (l *Lease) Abandon(err error) {
	if !l.Held {
		return
	}
	if err == nil {
		err = ErrMiss
	}
	l.f.finish(Entry{}, err)
}

// Wait returns the entry once it is put, or the reason why it was not, or ctx's. Its value is shared: do not change it.
func (l *Lease) Wait(ctx context.Context) (Entry, error) {
	if l.Found != nil {
		return *l.Found, nil
	}
	select {
	case <-l.f.ending():
		return l.f.entry, l.f.err
	case <-ctx.Done():
		return Entry{}, ctx.Err()
	}
}
