package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"stagecache/internal/clock"
)

// timedRig is a rig in a bubble, where leases' time stands still until everybody waits.
func timedRig(t *testing.T, run func(r *rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(o *Options) { o.Memory = 0; o.Clock = clock.System })
		run(r)
	})
}

func (r *rig) leaseFor(key string, d time.Duration) *Lease {
	r.t.Helper()
	l, err := r.s.Lease(context.Background(), []byte(key), LeaseOptions{Refresh: true, Timeout: d})
	if err != nil || !l.Held {
		r.t.Fatalf("lease of %s: %+v, %v", key, l, err)
	}
	return l
}

// waiter attaches to a key's lease, and says on the channel how long it waited and for what.
type waited struct {
	took time.Duration
	err  error
}

func (r *rig) waiter(key string) <-chan waited {
	r.t.Helper()
	l, err := r.s.Lease(context.Background(), []byte(key), LeaseOptions{})
	if err != nil || l.Held || l.Found != nil {
		r.t.Fatalf("waiting for %s: %+v, %v", key, l, err)
	}
	answer, start := make(chan waited, 1), time.Now()
	go func() {
		_, err := l.Wait(context.Background())
		answer <- waited{time.Since(start), err}
	}()
	return answer
}

func TestLeaseEndsAtItsDeadline(t *testing.T) {
	timedRig(t, func(r *rig) {
		l := r.leaseFor("a", 3*time.Second)
		if w := <-r.waiter("a"); !errors.Is(w.err, ErrLeaseLost) || w.took != 3*time.Second {
			t.Fatalf("the waiter got %v after %v", w.err, w.took)
		}
		if err := l.Put([]byte("late"), minute("/")); !errors.Is(err, ErrLeaseLost) {
			t.Fatalf("put after the deadline: %v", err)
		}
		if _, err := l.Wait(context.Background()); !errors.Is(err, ErrLeaseLost) {
			t.Fatalf("waiting for a lease that has ended before anybody waited: %v", err)
		}
		r.lease("a").Abandon(nil)
	})
}

// Leases of one stripe share a timer: each ends at its own deadline all the same, in whatever order they were taken.
func TestLeasesOfAStripeEndEachAtItsDeadline(t *testing.T) {
	timedRig(t, func(r *rig) {
		var keys []string
		first := r.s.stripe([]byte("0"))
		for i := 0; len(keys) < 6; i++ {
			if key := fmt.Sprint(i); r.s.stripe([]byte(key)) == first {
				keys = append(keys, key)
			}
		}
		deadlines := []time.Duration{50, 20, 90, 20, 10, 70} // seconds
		var waiters []<-chan waited
		var leases []*Lease
		for i, key := range keys {
			leases = append(leases, r.leaseFor(key, deadlines[i]*time.Second))
			waiters = append(waiters, r.waiter(key))
		}
		if err := leases[4].Put([]byte("v"), minute("/")); err != nil { // the next one to end does so by itself
			t.Fatal(err)
		}
		for i, w := range waiters {
			switch got := <-w; {
			case i == 4 && (got.err != nil || got.took != 0):
				t.Errorf("the lease that was put: %v after %v", got.err, got.took)
			case i != 4 && (!errors.Is(got.err, ErrLeaseLost) || got.took != deadlines[i]*time.Second):
				t.Errorf("the lease of %v s: %v after %v", int(deadlines[i]), got.err, got.took)
			}
		}
		if len(first.flights) != 0 || !first.due.IsZero() {
			t.Errorf("%d leases are left, the timer is set to %v", len(first.flights), first.due)
		}
	})
}

// A lease taken after the timer has fired, and with an earlier deadline than the one that is set, is seen to as well.
func TestALeaseSetsTheTimerEarlier(t *testing.T) {
	timedRig(t, func(r *rig) {
		for range 3 {
			long := r.leaseFor("a", time.Hour)
			long.Abandon(nil) // its deadline stays set
			r.leaseFor("a", time.Second)
			if w := <-r.waiter("a"); !errors.Is(w.err, ErrLeaseLost) || w.took != time.Second {
				t.Fatalf("%v after %v", w.err, w.took)
			}
		}
	})
}

// Closing wakes who waits, and leaves no timer behind that would keep the store in memory.
func TestCloseEndsLeasesAndTheirTimers(t *testing.T) {
	timedRig(t, func(r *rig) {
		r.leaseFor("a", time.Hour)
		w := r.waiter("a")
		st, s := r.s.stripe([]byte("a")), r.s
		r.close()
		if got := <-w; !errors.Is(got.err, ErrClosed) || got.took != 0 {
			t.Errorf("%v after %v", got.err, got.took)
		}
		if st.timer.Stop() {
			t.Error("the timer was still set")
		}
		if _, err := s.Lease(context.Background(), []byte("a"), LeaseOptions{}); !errors.Is(err, ErrClosed) {
			t.Errorf("a lease of a closed store: %v", err)
		}
	})
}
